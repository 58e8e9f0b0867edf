"""From a recipe to a trained model: `train.train`, and the parts it is made of."""
