"""Tables as codes, whoever made them: the artefact, its files, and what improves or measures it.

A row is M codes, and its vector the sum of one codeword from each of M codebooks. A method that
trains codes (`dccl`) and any that only reads them (`tables`, `layers`) need the same parts, so they
live here and know no method.

`artefact` is `Codes`; `files`, `checkpoint` and `faiss_index` keep it, and `codebook_types` says
how files hold codebooks; `decode` and `attend` read rows and logits with jax, under any mesh by
`meshes`; `neighbours` multiplies all rows with a query. `search` finds better codes,
`least_squares` better codebooks, `refine` takes both in turn over the `rows` of a whole table,
`finish` rounds the codebooks at the end, `encode` codes new rows. `measure` computes errors,
`bound` the error that no code can beat, `integers` the table as small integers, which is what codes
are measured against, `sizes` the bytes. `artefact`, `files`, `codebook_types`, `neighbours`,
`faiss_index`, `bound`, `integers` and `sizes` load no jax.
"""
