"""`rnnzoo kernels`: which kernels a model runs on this machine."""

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json


def kernels(model: options.Model, json: options.Json = False):
    """Show which kernel each recurrent layer of a model runs here, and why.

    Examples:
      rnnzoo kernels saved_models/imdb_lm

      rnnzoo kernels char_lstm_shakespeare --json
    """
    with errors_in_a_sentence():
        import rnnzoo

        report = rnnzoo.kernels(rnnzoo.load(model))
        if json:
            for layer in report:
                uses = {"training": layer.training, "generation": layer.generation}
                chosen = {use: {"name": k.name, "reason": k.reason} for use, k in uses.items()}
                where = {"backend": layer.backend, "device": layer.device}
                print_json({"layer": layer.layer, **chosen, **where})
        else:
            print(report)
