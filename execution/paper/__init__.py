"""The paper venue: a deterministic exchange of one account, fed by marks.

It assumes:

1. A mark with a bar tells the price range of (open time, time]; a mark without one is a range of one
   price. Triggers, fills and limits all look at that range; account values use the mark price.
2. An order is active from its event time only: a bar matches it when it opened at or after that time, a
   single price when it is not older. A cancellation holds from its event time too: one that arrives
   before its symbol's bar that ends at that time lets that bar pass first.
3. Within one bar the order is: market orders, entries, stops, targets. So a stop and a target inside
   one bar give the stop, and an entry and its old target inside one bar never profit from the guess.
4. A limit order fills at its price, or at the bar's open where that is better, rounded to the tick
   against the trader. A bar that goes a full tick beyond the price fills all of it; one that only
   touches it fills `touch_share` of what is left, rounded down to the step (all, where that gives 0).
5. Limit orders pay the maker fee. One that crosses the last price when it is placed pays the taker fee.
6. A market order waits for the next range and fills at its open, with slippage and the taker fee.
7. A stop triggers when the range reaches its trigger, and fills whole at the trigger, or at the open
   where that is beyond it, with slippage and the taker fee. Slippage is `slippage_bps` of the price,
   rounded to the tick against the trader.
8. A reduce-only stop that arrives at the event time at which its position was opened or enlarged, with
   a trigger beyond the entry's limit price, is held against the whole of that bar: the price had to
   pass the entry before it could reach the stop. Targets placed in that moment wait for the next bar.
9. Any other stop whose trigger the last price has already reached is refused as `would_trigger`.
10. Reduce-only orders are cut down to the position when they fill, and cancelled where there is none;
    placing one without a position is refused. They are exempt from the minimum notional, and from the
    minimum quantity where they close the whole position.
11. An entry is refused when the notional of positions and resting entries would exceed `leverage` times
    equity. Nothing is ever liquidated: that risk keeps stops far from liquidation is risk's duty.
12. Funding is settled at the end of the bar that carries a rate, on what is open then, at the mark price.
13. Nothing that we do moves the market, and no queue stands before a limit order. The venue never fails,
    and answers in the moment in which it is asked.
14. The account is reported at the first mark, after each mark of a symbol with a position, and after
    each change of cash; a clock tick is told once for each time while an order or position exists, and
    at the first mark of each UTC hour also where none does: a command that was lost on its way leaves
    the venue idle, and without a tick nobody would ever miss the answer.
15. The fate of the last 32 ended orders of each symbol can be looked up; older ones are not found.
"""

from execution.paper.venue import PaperVenue

__all__ = ["PaperVenue"]
