"""The Nested LSTM: the layer, its equations and its fast paths. Knows nothing of forecasting."""
