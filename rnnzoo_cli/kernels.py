"""`rnnzoo kernels`: which kernels a model runs on this machine."""

import dataclasses

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
                print_json(dataclasses.asdict(layer))
        else:
            print(report)
