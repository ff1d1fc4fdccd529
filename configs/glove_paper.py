"""GloVe 6B, 400,000 x 300, to 32 x 16 codes with the paper's own training.

Paper:    Shu & Nakayama, ICLR 2018, arXiv 1711.01068, section 4: Adam 1e-4, gradient norm clipped
          at 0.001, batch 128, temperature 1, 200,000 steps, evaluated every 1,000, the best kept
Command:  python -m train.dccl --config configs/glove_paper.py --workdir out/glove_paper
Data:     jaxcompress download glove.6B
Time:     a quarter of an hour on two cores, at 25,700 rows of 300 dimensions per second
Result:   after 2.5 million rows of 25.6 million a mean squared L2 of 1.798 for word2vec vectors of
          55,568 x 300; `configs/glove.py` has 1.116
"""

from jaxcompress import dccl


def get_config() -> dccl.Config:
    return dccl.Config(
        batch_size=128,
        num_steps=200_000,
        eval_every=1_000,
        data=dccl.DataConfig(path="glove.6B.300d.txt"),
        model=dccl.ModelConfig(
            num_codebooks=32,
            num_codewords=16,
            hidden_size=256,  # M*K/2
            temperature=1.0,
            final_temperature=None,
            normalize=False,
            revive=False,
        ),
        optimizer=dccl.OptimizerConfig(learning_rate=1e-4, schedule="constant", clip_norm=0.001),
        refine=dccl.RefineConfig(num_rounds=0),
    )
