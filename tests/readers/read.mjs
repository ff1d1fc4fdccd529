// Prints what the reader in JavaScript makes of a file, as JSON: rows, and the neighbours of the query.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [reader, file, query] = process.argv.slice(2);
const { load } = await import(pathToFileURL(reader));
const content = readFileSync(file);
const table = await load(content.buffer.slice(content.byteOffset, content.byteOffset + content.length));
const rows = [];
for (let i = 0; i < table.count; i++) rows.push(Array.from(table.row(i)));
const word = table.words ? query : Number(query);
const own = Array.from(table.get(word));
const failed = [];
for (const wrong of [-1, table.count, "not there"])
  try { table.get(wrong), failed.push(wrong); } catch (error) { /* as it should */ }
console.log(JSON.stringify({
  rows, own, words: table.words, failed,
  nearest: table.nearest(word, 5), toVector: table.nearest(table.row(0), 1),
}));
