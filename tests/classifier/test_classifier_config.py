import pytest

from jaxcompress import InputError, classifier


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding": "sparse"}, "embedding is 'sparse'; it must be one of frozen, finetune_co"),
        ({"model": classifier.ModelConfig(pooling="max")}, "model.pooling is 'max'; it must be"),
        (
            {"model": classifier.ModelConfig(dropout=1.0)},
            r"model.dropout is 1.0; it must be in \[0",
        ),
        (
            {"data": classifier.DataConfig(keep="middle")},
            "data.keep is 'middle'; it must be one of",
        ),
        (
            {"data": classifier.DataConfig(max_tokens=0)},
            "data.max_tokens is 0; it must be at least",
        ),
        ({"steps_per_dispatch": 4}, "steps_per_dispatch is 4; it must be from 1 to 1"),
        ({"num_seeds": 0}, "num_seeds is 0; it must be at least 1"),
    ],
)
def test_a_config_that_is_invalid_is_one_line(change, message):
    with pytest.raises(InputError, match=message) as caught:
        classifier.Config(**change).check()
    assert "\n" not in str(caught.value)
