"""A venue on this machine that speaks real venues' protocols, to practise and drill live trading.

One `Market` plays candle files as a price path, or takes its prices by hand. It feeds one `Exchange` for
each protocol, and each of those is one account with rules of its own: what a client order id may be, what
a stop becomes when it triggers, what is refused. `server.Simulator` serves them all on one port, behind
faults that a plan describes.

What is simplified: one account trades alone, so that orders fill in full where the price reaches them
(unless a fault says in pieces, or that the market is thin) and nothing moves the price; positions are
netted (one way); margin is checked when an order is placed, and there is no liquidation; funding is settled
every eight hours, and by hand alone where prices are.
"""
