"""The page about the model: its measured figures, what stands behind them, and what its use would be worth."""
