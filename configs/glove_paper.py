"""GloVe 6B to 32 x 16 codes with the paper's own training, section 4.

Adam 1e-4, gradient norm clipped at 0.001, batch 128, temperature 1, 200,000 steps, evaluated
every 1,000, the best kept.
Command:  python -m train.dccl --config configs/glove_paper.py --workdir out/glove_paper
"""

from jaxcompress import dccl


def get_config() -> dccl.Config:
    return dccl.Config(
        batch_size=128,
        num_steps=200_000,
        eval_every=1_000,
        data=dccl.DataConfig(path="glove.6B.300d.txt"),
        model=dccl.ModelConfig(
            hidden_size=256, final_temperature=None, normalize=False, revive=False
        ),
        refine=dccl.RefineConfig(num_rounds=0),
        optimizer=dccl.OptimizerConfig(learning_rate=1e-4, schedule="constant", clip_norm=0.001),
    )
