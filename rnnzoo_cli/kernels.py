"""`rnnzoo kernels`: which kernels a model runs on this machine."""

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence


def kernels(model: options.Model):
    """Show which kernel each recurrent layer of a model runs here, and why.

    Example:
      rnnzoo kernels saved_models/imdb_lm
    """
    with errors_in_a_sentence():
        import rnnzoo

        print(rnnzoo.kernels(rnnzoo.load(model)))
