"""GloVe 6B, 400,000 x 300, to 32 x 16 codes, 16 bytes per word, with our schedule.

Paper:    Shu & Nakayama, ICLR 2018, arXiv 1711.01068, section 4
Command:  python -m train.dccl --config configs/glove.py --workdir out/glove
          --config.data.path=FILE compresses any other table;
          --config.target_mb=5 chooses the best size within 5 MB
Data:     jaxcompress download glove.6B
Time:     220 seconds for 55,568 x 300 (word2vec vectors) on two cores, all rows trained on
          (--config.data.valid_rows=0); that of training grows with the square root of the rows,
          that of refinement with their number
Result:   a mean squared L2 of 1.116 for the same vectors; FAISS LSQ has 1.311 at the same bytes
"""

from jaxcompress import dccl


def get_config() -> dccl.Config:
    return dccl.Config(
        batch_size=512,
        data=dccl.DataConfig(path="glove.6B.300d.txt"),
        model=dccl.ModelConfig(num_codebooks=32, num_codewords=16, final_temperature=0.4),
        optimizer=dccl.OptimizerConfig(learning_rate=6e-3, schedule="cosine"),
        refine=dccl.RefineConfig(),
    )
