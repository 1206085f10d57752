"""What methods are made of and none of them is: backbones, recipes, averages, start weights, what may be searched."""
