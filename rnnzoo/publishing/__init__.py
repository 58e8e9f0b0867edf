"""From a trained model to what others use: its folder, its card, the zoo, and its figures again."""
