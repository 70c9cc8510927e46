"""What Binance shows of orders, fills, positions and balances, as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bus_schemas.events import Liquidity
from execution.simulator.binance_words import KINDS, algo_status, order_status, side_word, text
from execution.simulator.orders import (
    ZERO,
    Quote,
    SimAccount,
    SimBar,
    SimFill,
    SimOrder,
    SimPosition,
    TriggerBy,
)
from execution.simulator.rules import Listing

View = dict[str, Any]
MAINTENANCE = Decimal("0.004")


def price_text(value: Decimal | None) -> str:
    """A price that may be none."""
    return text(value or ZERO)


def order_view(order: SimOrder, listing: Listing) -> View:
    """An order of the matching engine."""
    kind = KINDS[order.kind]
    value = order.value * listing.instrument.contract_size
    return {
        "orderId": int(order.order_id),
        "symbol": listing.name,
        "status": order_status(order),
        "clientOrderId": order.client_id,
        "price": price_text(order.price),
        "avgPrice": text(order.average.quantize(Decimal("1E-8"))),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "cumQty": text(order.filled),
        "cumQuote": text(value),
        "timeInForce": "GTX" if order.post_only else "GTC",
        "type": kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": side_word(order.side),
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "STOP_MARKET" if order.origin else kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created,
        "updateTime": order.updated,
    }


def algo_view(order: SimOrder, became: SimOrder | None, listing: Listing) -> View:
    """A conditional order of the Algo service, with what is known of its successor."""
    return {
        "algoId": int(order.order_id),
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": listing.name,
        "side": side_word(order.side),
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": text(order.quantity),
        "algoStatus": algo_status(order, became),
        "actualOrderId": order.successor,
        "actualPrice": text(became.average.quantize(Decimal("1E-8"))) if became else "0",
        "actualQty": text(became.filled) if became else "0",
        "actualType": "MARKET" if order.successor else "",
        "triggerPrice": price_text(order.trigger),
        "price": "0",
        "icebergQuantity": None,
        "tpTriggerPrice": "0",
        "tpPrice": "0",
        "slTriggerPrice": "0",
        "slPrice": "0",
        "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": working_type(order),
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": order.created,
        "updateTime": order.updated,
        "triggerTime": order.updated if order.successor else 0,
        "goodTillDate": 0,
    }


def working_type(order: SimOrder) -> str:
    """Which price releases it."""
    return "MARK_PRICE" if order.trigger_by is TriggerBy.MARK else "CONTRACT_PRICE"


def trade_view(fill: SimFill, listing: Listing) -> View:
    """A trade of the account."""
    instrument = listing.instrument
    return {
        "symbol": listing.name,
        "id": int(fill.fill_id),
        "orderId": int(fill.order_id),
        "side": side_word(fill.side),
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "realizedPnl": text(fill.profit),
        "quoteQty": text(instrument.notional(fill.quantity, fill.price)),
        "commission": text(fill.fee),
        "commissionAsset": instrument.settle,
        "time": fill.time,
        "positionSide": "BOTH",
        "maker": fill.liquidity is Liquidity.MAKER,
        "buyer": side_word(fill.side) == "BUY",
    }


def position_view(position: SimPosition, listing: Listing) -> View:
    """An open position, third version; the second one has a few fields more."""
    notional = position.quantity * position.mark * listing.instrument.contract_size
    return {
        "symbol": listing.name,
        "positionSide": "BOTH",
        "positionAmt": text(position.quantity),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.entry_price),
        "markPrice": text(position.mark),
        "unRealizedProfit": text(position.profit),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": text(notional),
        "marginAsset": listing.instrument.settle,
        "isolatedWallet": "0",
        "initialMargin": text(position.margin),
        "maintMargin": text(abs(notional) * MAINTENANCE),
        "positionInitialMargin": text(position.margin),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated,
    }


def asset_view(account: SimAccount, asset: str, now: int) -> View:
    """The balance of the only asset."""
    profit = account.equity - account.cash
    return {
        "asset": asset,
        "walletBalance": text(account.cash),
        "unrealizedProfit": text(profit),
        "marginBalance": text(account.equity),
        "maintMargin": "0",
        "initialMargin": text(account.position_margin + account.order_margin),
        "positionInitialMargin": text(account.position_margin),
        "openOrderInitialMargin": text(account.order_margin),
        "crossWalletBalance": text(account.cash),
        "crossUnPnl": text(profit),
        "availableBalance": text(account.available),
        "maxWithdrawAmount": text(account.available),
        "marginAvailable": True,
        "updateTime": now,
    }


def account_view(account: SimAccount, assets: list[View], positions: list[View]) -> View:
    """The whole account."""
    profit = text(account.equity - account.cash)
    return {
        "totalInitialMargin": text(account.position_margin + account.order_margin),
        "totalMaintMargin": "0",
        "totalWalletBalance": text(account.cash),
        "totalUnrealizedProfit": profit,
        "totalMarginBalance": text(account.equity),
        "totalPositionInitialMargin": text(account.position_margin),
        "totalOpenOrderInitialMargin": text(account.order_margin),
        "totalCrossWalletBalance": text(account.cash),
        "totalCrossUnPnl": profit,
        "availableBalance": text(account.available),
        "maxWithdrawAmount": text(account.available),
        "assets": assets,
        "positions": positions,
    }


def candle_view(bar: SimBar, length_ms: int) -> list[Any]:
    """A candle as a row."""
    volume, value = text(bar.volume), text(bar.volume * bar.close)
    numbers = (text(bar.open), text(bar.high), text(bar.low), text(bar.close), volume)
    half, half_value = text(bar.volume / 2), text(bar.volume * bar.close / 2)
    return [bar.time, *numbers, bar.time + length_ms - 1, value, 100, half, half_value, "0"]


def premium_view(quote: Quote, listing: Listing) -> View:
    """Mark and index price, and the funding to come."""
    return {
        "symbol": listing.name,
        "markPrice": text(quote.mark),
        "indexPrice": text(quote.index),
        "estimatedSettlePrice": text(quote.index),
        "lastFundingRate": text(quote.funding_rate),
        "interestRate": "0.0001",
        "nextFundingTime": quote.next_funding,
        "time": quote.time,
    }


def symbol_view(listing: Listing) -> View:
    """The terms of a contract."""
    instrument = listing.instrument
    lot = {"minQty": text(instrument.min_quantity), "stepSize": text(instrument.step)}
    most = instrument.max_quantity or ZERO
    return {
        "symbol": listing.name,
        "pair": listing.name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.settle,
        "pricePrecision": digits(instrument.tick),
        "quantityPrecision": digits(instrument.step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(instrument.tick),
                "maxPrice": "4529764",
                "tickSize": format(instrument.tick, "f"),
            },
            {"filterType": "LOT_SIZE", **lot, "maxQty": text(listing.largest_limit or most)},
            {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": text(most)},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": text(instrument.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.0500",
                "multiplierDown": "0.9500",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET"],
        "timeInForce": ["GTC", "GTX"],
    }


def spot_symbol_view(listing: Listing) -> View:
    """The spot pair whose candles feed the contract."""
    instrument = listing.instrument
    return {
        "symbol": listing.name,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "icebergAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(instrument.tick),
                "maxPrice": "4529764",
                "tickSize": text(instrument.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text(instrument.step),
                "maxQty": "10000",
                "stepSize": text(instrument.step),
            },
        ],
        "permissions": ["SPOT"],
    }


def digits(unit: Decimal) -> int:
    """Digits behind the point."""
    return max(0, -int(unit.as_tuple().exponent))
