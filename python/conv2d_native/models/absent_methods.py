"""Methods and attributes of Keras's models that there are not here, each with what to do instead."""

from __future__ import annotations

_TRAINING = "it computes inference only. Train with Keras, save the model, and open the file with load_model"
_COMPARING = (
    "it computes inference only. Compare what predict(x) returns with the labels, or evaluate with Keras"
)
_ITERABLES = "predict(x) takes generators and other iterables of batches"

ABSENT_METHODS = {
    **dict.fromkeys(
        ("compile", "fit", "fit_generator", "train_on_batch", "train_step", "add_metric"),
        _TRAINING,
    ),
    **dict.fromkeys(("evaluate", "evaluate_generator", "test_on_batch", "test_step"), _COMPARING),
    "predict_generator": _ITERABLES,
    **dict.fromkeys(
        ("make_predict_function", "_make_predict_function"),
        "leave it out, predict compiles by itself and may be called from any thread",
    ),
    "predict_step": "call the model, model(x), or predict_on_batch(x)",
    "predict_classes": "take predict(x).argmax(axis=-1)",
    "predict_proba": "predict(x) returns what the last layer computes",
    "export": "save(filepath) writes a .keras file, which Keras opens too: its export(filepath) writes other formats",
    "to_yaml": "take to_json() and model_from_json: Keras gave YAML up, as it can run code",
    "quantize": "it computes in float32 alone",
}

# What compile() and fit() leave in Keras's models.
ABSENT_ATTRIBUTES = dict.fromkeys(
    ("optimizer", "loss", "metrics", "metrics_names", "history", "stop_training"), _TRAINING
)
