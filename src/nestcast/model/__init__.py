"""The forecasting network, its likelihoods and covariate encoders."""
