"""The families' torch modules, one file each; module paths are those of `Recipe.layers`."""
