"""What market_data and execution share of ccxt: one client each, the venue's clock, the names of markets.

ccxt is imported inside functions: it takes half a second and 70 MB, and only live edges need it.
"""
