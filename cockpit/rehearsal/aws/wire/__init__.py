"""The wire of the simulated AWS: HTTP, protocols, service models, and moto behind them."""
