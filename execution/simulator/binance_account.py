"""Binance's endpoints for balance, positions, settings of the account, income and the key's rights."""

from __future__ import annotations

from typing import Any

from execution.books import tidy
from execution.simulator.binance_desk import PositionMode
from execution.simulator.binance_public import Access, Endpoint, listed, page
from execution.simulator.binance_sign import Params
from execution.simulator.binance_views import MAINTENANCE, account_view, asset_view, position_view
from execution.simulator.binance_words import Trouble, missing, text, trouble
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import SimFill, SimFunding, SimRefusal
from execution.simulator.protocol import Operation

_WEEK_MS = 7 * 24 * 3_600_000
_LATER = 1 << 62
_DONE = {"code": 200, "msg": "success"}
_NOTIONAL_CAP = 1_000_000_000
_ZEROS = (
    "positionAmt",
    "entryPrice",
    "breakEvenPrice",
    "unRealizedProfit",
    "liquidationPrice",
    "isolatedMargin",
    "notional",
    "isolatedWallet",
)


class AccountDesk:
    """The account.

    Args:
        mode: of positions.

    Attributes:
        withdraw: whether the key may withdraw; the demo key may not.
        multi: multi-assets mode; kept because clients ask and set it.
    """

    def __init__(self, exchange: Exchange, clock: SimClock, mode: PositionMode) -> None:
        self.withdraw = False
        self.multi = False
        self._exchange = exchange
        self._clock = clock
        self._mode = mode
        self._isolated: set[str] = set()

    def endpoints(self) -> list[Endpoint]:
        """Every one is signed."""
        account, other, signed = Operation.ACCOUNT, Operation.OTHER, Access.SIGNED
        dual, risk = "/fapi/v1/positionSide/dual", Operation.POSITIONS
        multi = "/fapi/v1/multiAssetsMargin"
        return [
            Endpoint("GET", "/fapi/v2/account", self._account_v2, account, 5, signed),
            Endpoint("GET", "/fapi/v3/account", self._account_v3, account, 5, signed),
            Endpoint("GET", "/fapi/v2/balance", self._balance, account, 5, signed),
            Endpoint("GET", "/fapi/v3/balance", self._balance, account, 5, signed),
            Endpoint("GET", "/fapi/v1/accountConfig", self._config, account, 5, signed),
            Endpoint("GET", "/fapi/v1/symbolConfig", self._symbols, other, 5, signed),
            Endpoint("GET", "/fapi/v2/positionRisk", self._risk_v2, risk, 5, signed),
            Endpoint("GET", "/fapi/v3/positionRisk", self._risk_v3, risk, 5, signed),
            Endpoint("GET", dual, self._dual, other, 30, signed),
            Endpoint("POST", dual, self._set_dual, other, 1, signed),
            Endpoint("GET", multi, self._multi, other, 30, signed),
            Endpoint("POST", multi, self._set_multi, other, 1, signed),
            Endpoint("POST", "/fapi/v1/leverage", self._set_leverage, Operation.LEVERAGE, 1, signed),
            Endpoint("POST", "/fapi/v1/marginType", self._set_margin, other, 1, signed),
            Endpoint("GET", "/fapi/v1/leverageBracket", self._brackets, other, 1, signed),
            Endpoint("GET", "/fapi/v1/commissionRate", self._fees, other, 20, signed),
            Endpoint("GET", "/fapi/v1/income", self._income, Operation.FUNDING, 30, signed),
            Endpoint("GET", "/sapi/v1/account/apiRestrictions", self._rights, Operation.KEYS, 1, signed),
        ]

    def _asset(self) -> dict[str, Any]:
        return asset_view(self._exchange.account(), self._settle(), self._clock.now())

    def _settle(self) -> str:
        return next((at.instrument.settle for at in self._exchange.listings.values()), "USDT")

    def _risk_v3(self, params: Params) -> list[dict[str, Any]]:
        wanted = listed(self._exchange, params).symbol if params.get("symbol") else None
        return [
            position_view(held, self._exchange.listing(held.symbol))
            for held in self._exchange.positions()
            if wanted in (None, held.symbol)
        ]

    def _risk_v2(self, params: Params) -> list[dict[str, Any]]:
        """The second version shows every symbol, and leverage and margin type."""
        held = {row["symbol"]: row for row in self._risk_v3(params)}
        rows = []
        for listing in self._exchange.listings.values():
            if params.get("symbol", listing.name).upper() != listing.name:
                continue
            row = held.get(listing.name) or self._flat(listing.name)
            isolated = listing.symbol in self._isolated
            rows.append(
                row
                | {
                    "leverage": str(self._exchange.leverage(listing.symbol)),
                    "marginType": "isolated" if isolated else "cross",
                    "isAutoAddMargin": "false",
                    "maxNotionalValue": str(_NOTIONAL_CAP),
                }
            )
        return rows

    def _flat(self, name: str) -> dict[str, Any]:
        try:
            mark = text(self._exchange.quote_of(self._exchange.named(name).symbol).mark)
        except SimRefusal:
            mark = "0"
        zeros = dict.fromkeys(_ZEROS, "0")
        return {"symbol": name, "positionSide": "BOTH", "markPrice": mark, "updateTime": 0, **zeros}

    def _account_v3(self, params: Params) -> object:
        positions = [_brief(row) for row in self._risk_v3(params)]
        return account_view(self._exchange.account(), [self._asset()], positions)

    def _account_v2(self, params: Params) -> object:
        positions = [
            _brief(row)
            | {"leverage": row["leverage"], "isolated": row["marginType"] == "isolated"}
            | {"entryPrice": row["entryPrice"], "maxNotional": row["maxNotionalValue"]}
            for row in self._risk_v2(params)
        ]
        view = account_view(self._exchange.account(), [self._asset()], positions)
        return {**self._rights_of_account(), **view}

    def _rights_of_account(self) -> dict[str, Any]:
        return {
            "feeTier": 0,
            "feeBurn": False,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "updateTime": 0,
            "multiAssetsMargin": self.multi,
            "tradeGroupId": -1,
        }

    def _balance(self, _: Params) -> object:
        asset = self._asset()
        shown = ("crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")
        return [
            {
                "accountAlias": "SimA",
                "asset": asset["asset"],
                "balance": asset["walletBalance"],
                **{name: asset[name] for name in shown},
                "marginAvailable": True,
                "updateTime": asset["updateTime"],
            }
        ]

    def _config(self, _: Params) -> object:
        return self._rights_of_account() | {"dualSidePosition": self._mode.dual}

    def _symbols(self, params: Params) -> object:
        return [
            {
                "symbol": row["symbol"],
                "marginType": "ISOLATED" if row["marginType"] == "isolated" else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": int(row["leverage"]),
                "maxNotionalValue": row["maxNotionalValue"],
            }
            for row in self._risk_v2(params)
        ]

    def _dual(self, _: Params) -> object:
        return {"dualSidePosition": self._mode.dual}

    def _set_dual(self, params: Params) -> object:
        params.need("dualSidePosition")
        wanted = params.flag("dualSidePosition")
        if wanted == self._mode.dual:
            raise Trouble(-4059, "No need to change position side.")
        if self._exchange.positions():
            raise Trouble(-4068, "Position side cannot be changed if there exists position.")
        self._mode.dual = wanted
        return _DONE

    def _multi(self, _: Params) -> object:
        return {"multiAssetsMargin": self.multi}

    def _set_multi(self, params: Params) -> object:
        params.need("multiAssetsMargin")
        wanted = params.flag("multiAssetsMargin")
        if wanted == self.multi:
            raise Trouble(-4171, "No need to change multi-assets mode.")
        if wanted and self._isolated:
            raise Trouble(
                -4168, "Unable to adjust to Multi-Assets mode with symbols of isolated-margin mode."
            )
        self.multi = wanted
        return _DONE

    def _set_leverage(self, params: Params) -> object:
        listing = listed(self._exchange, params)
        leverage = params.whole("leverage", 0)
        try:
            self._exchange.set_leverage(listing.symbol, leverage)
        except SimRefusal as refusal:
            raise trouble(refusal) from None
        return {"symbol": listing.name, "leverage": leverage, "maxNotionalValue": str(_NOTIONAL_CAP)}

    def _set_margin(self, params: Params) -> object:
        listing, kind = listed(self._exchange, params), params.need("marginType").upper()
        if kind not in ("ISOLATED", "CROSSED"):
            raise missing("marginType")
        isolated = kind == "ISOLATED"
        if isolated and self.multi:
            raise Trouble(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
        if isolated == (listing.symbol in self._isolated):
            raise Trouble(-4046, "No need to change margin type.")
        if isolated:
            self._isolated.add(listing.symbol)
        else:
            self._isolated.discard(listing.symbol)
        return _DONE

    def _brackets(self, params: Params) -> object:
        bracket = {
            "bracket": 1,
            "initialLeverage": self._exchange.rules.max_leverage,
            "notionalCap": _NOTIONAL_CAP,
            "notionalFloor": 0,
            "maintMarginRatio": float(MAINTENANCE),
            "cum": 0.0,
        }
        return [
            {"symbol": listing.name, "notionalCoef": 1.0, "brackets": [bracket]}
            for listing in self._exchange.listings.values()
            if params.get("symbol", listing.name).upper() == listing.name
        ]

    def _fees(self, params: Params) -> object:
        rules = self._exchange.rules
        return {
            "symbol": listed(self._exchange, params).name,
            "makerCommissionRate": text(rules.maker_fee),
            "takerCommissionRate": text(rules.taker_fee),
            "rpiCommissionRate": "0",
        }

    def _income(self, params: Params) -> object:
        limit, kind = page(params, 100, 1000), params.get("incomeType").upper()
        wanted = listed(self._exchange, params).symbol if params.get("symbol") else None
        since, until = params.whole("startTime", -1), params.whole("endTime", _LATER)
        begin = since if since >= 0 else self._clock.now() - _WEEK_MS
        rows: list[dict[str, Any]] = []
        for paid in self._exchange.funding(wanted, begin):
            rows.append(self._funding_row(paid))
        for fill in self._exchange.fills(wanted, begin):
            rows += self._fill_rows(fill)
        rows = [row for row in rows if kind in ("", row["incomeType"]) and row["time"] <= until]
        rows.sort(key=lambda row: int(row["time"]))
        return rows[:limit] if since >= 0 else rows[-limit:]

    def _funding_row(self, paid: SimFunding) -> dict[str, Any]:
        row = self._row(paid.symbol, "FUNDING_FEE", text(tidy(-paid.amount)), paid.time, paid.funding_id)
        return row | {"tradeId": ""}

    def _fill_rows(self, fill: SimFill) -> list[dict[str, Any]]:
        fee = self._row(fill.symbol, "COMMISSION", text(tidy(-fill.fee)), fill.time, fill.fill_id)
        rows = [fee | {"tradeId": fill.fill_id}]
        if fill.profit:
            profit = self._row(fill.symbol, "REALIZED_PNL", text(fill.profit), fill.time, fill.fill_id)
            rows.append(profit | {"tradeId": fill.fill_id})
        return rows

    def _row(self, symbol: str, kind: str, amount: str, time: int, number: str) -> dict[str, Any]:
        listing = self._exchange.listing(symbol)
        return {
            "symbol": listing.name,
            "incomeType": kind,
            "income": amount,
            "asset": listing.instrument.settle,
            "info": kind,
            "time": time,
            "tranId": int(number),
        }

    def _rights(self, _: Params) -> object:
        return {
            "ipRestrict": False,
            "createTime": 0,
            "enableReading": True,
            "enableWithdrawals": self.withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": True,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableSpotAndMarginTrading": False,
        }


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    """A position as it stands in the account."""
    return {
        "symbol": row["symbol"],
        "positionSide": row["positionSide"],
        "positionAmt": row["positionAmt"],
        "unrealizedProfit": row["unRealizedProfit"],
        "isolatedMargin": row["isolatedMargin"],
        "notional": row["notional"],
        "isolatedWallet": row["isolatedWallet"],
        "initialMargin": row.get("initialMargin", "0"),
        "maintMargin": row.get("maintMargin", "0"),
        "updateTime": row["updateTime"],
    }
