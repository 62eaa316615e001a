"""Training: recipes, data, losses, the visible loop, and export to the int8 engine. The app never imports it."""
