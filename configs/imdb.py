"""IMDB sentiment with vectors, or with codes of them: Shu & Nakayama, ICLR 2018, section 5.2.

Command:  python -m train.sentiment --config configs/imdb.py --config.vectors=PATH
          PATH: any vectors that train.dccl reads, or a model.safetensors of codes;
          --config.embedding=finetune_codebooks trains the codebooks of codes with the task;
          --config.embedding=dense (or ant) learns a table from scratch
Compare:  python -m train.sentiment --config configs/imdb.py --mode compare --vectors=a --codes=b,c
          --config.num_seeds=3 for means and spreads
Data:     aclImdb/ or aclImdb_v1.tar.gz: python -m jaxcompress.data.download aclImdb;
          or --config.data.source=tfds:imdb_reviews
Expected: accuracy on the official 25,000 test reviews; of word2vec vectors of film reviews and
          Wikipedia 88.9 % (33.3 MB), of their 32x16 codes 88.5 % (1.50 MB), 89.1 % where the
          codebooks are trained; the paper has 87.18 % for GloVe (78 MB), 87.37 % and 87.80 % for
          16x32 and 32x16 codes (1.23 and 1.66 MB)
"""

from jaxcompress import classifier


def get_config() -> classifier.Config:
    return classifier.Config(num_epochs=3, data=classifier.DataConfig(source="aclImdb"))
