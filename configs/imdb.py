"""IMDB sentiment with vectors, or with codes of them: Shu & Nakayama, ICLR 2018, section 5.2.

Command:  python -m train.sentiment --config configs/imdb.py --config.vectors=PATH
          PATH: any vectors that train.dccl reads, a model.safetensors of codes, or a workdir;
          --config.embedding=finetune_codebooks trains the codebooks of codes with the task;
          --config.embedding=dense (ant, low_rank, hashed) learns a table from scratch;
          --config.model.network=mean is a linear layer over the mean of the vectors, in seconds
Compare:  python -m train.sentiment --config configs/imdb.py --mode compare --vectors=a --codes=b,c
          --config.num_seeds=3 for means and spreads
Data:     aclImdb/ or aclImdb_v1.tar.gz: jaxcompress download aclImdb;
          or --config.data.source=tfds:imdb_reviews
Time:     nine to eleven minutes a seed on two cores
Result:   accuracy on the official 25,000 test reviews, means of three seeds: word2vec vectors of
          film reviews and Wikipedia 88.9 % (33.3 MB); their 32x16 codes 88.5 % (1.50 MB), and
          89.1 % if the codebooks are trained. The paper has 87.18 % for GloVe (78 MB), 87.37 % and
          87.80 % for 16x32 and 32x16 codes (1.23 and 1.66 MB)
"""

from jaxcompress import classifier


def get_config() -> classifier.Config:
    return classifier.Config(
        batch_size=64,
        num_epochs=3,
        embedding="frozen",
        data=classifier.DataConfig(source="aclImdb", max_tokens=400, bucket_width=50),
        model=classifier.ModelConfig(
            network="lstm",
            hidden_size=150,
            pooling="mean",
            dropout=0.3,  # paper: an LSTM of 150
        ),
        optimizer=classifier.OptimizerConfig(learning_rate=1e-3, clip_norm=5.0),
    )
