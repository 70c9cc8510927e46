"""Every event type, by the name that the envelope carries, with its current version."""

from __future__ import annotations

from bus_schemas.events.base import Body, Millis, Part
from bus_schemas.events.executions import (
    AccountSnapshot,
    ExitReason,
    Fill,
    FundingCharged,
    Mismatch,
    OrderChanged,
    OrderState,
    PositionChanged,
    PositionPhase,
    TradeClosed,
)
from bus_schemas.events.market import Candle, Gap, Mark, Range
from bus_schemas.events.operations import Acknowledge, Heartbeat, KillSwitch, ReduceOnly
from bus_schemas.events.orders import (
    FlattenApproved,
    HaltReason,
    OrderApproved,
    OrderRefused,
    Refusal,
    Target,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.events.signals import Assessment, Evidence, NoSignal, Side, Signal, SymbolHalted
from bus_schemas.events.venue import (
    AccountReport,
    AlertCode,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ClockTick,
    FundingPaid,
    Leg,
    Liquidity,
    LookUpOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    PositionState,
    StrayOrder,
    VenueAlert,
    VenueRefusal,
)

EVENT_TYPES: dict[str, type[Body]] = {
    t.__name__: t
    for t in (
        *(Mark, Candle, Gap),
        *(Assessment, SymbolHalted),
        *(OrderApproved, OrderRefused, TradingHalted, TradingResumed, FlattenApproved),
        *(PlaceOrder, AmendOrder, CancelOrder, LookUpOrder),
        *(OrderAccepted, OrderRejected, OrderFilled, OrderCancelled, CancelRejected, OrderNotFound),
        *(FundingPaid, AccountReport, ClockTick, StrayOrder, VenueAlert),
        *(OrderChanged, Fill, PositionChanged, TradeClosed, FundingCharged, AccountSnapshot, Mismatch),
        *(KillSwitch, Acknowledge, ReduceOnly, Heartbeat),
    )
}

VERSIONS: dict[str, int] = dict.fromkeys(EVENT_TYPES, 1)
"""Current version of each type. Raise it with an upcaster in `bus_schemas.codec` and a stored example."""

__all__ = [
    "EVENT_TYPES",
    "VERSIONS",
    "AccountReport",
    "AccountSnapshot",
    "Acknowledge",
    "AlertCode",
    "AmendOrder",
    "Assessment",
    "Body",
    "CancelOrder",
    "CancelRejected",
    "Candle",
    "ClockTick",
    "Evidence",
    "ExitReason",
    "Fill",
    "FlattenApproved",
    "FundingCharged",
    "FundingPaid",
    "Gap",
    "HaltReason",
    "Heartbeat",
    "KillSwitch",
    "Leg",
    "Liquidity",
    "LookUpOrder",
    "Mark",
    "Millis",
    "Mismatch",
    "NoSignal",
    "OrderAccepted",
    "OrderApproved",
    "OrderCancelled",
    "OrderChanged",
    "OrderFilled",
    "OrderKind",
    "OrderNotFound",
    "OrderRefused",
    "OrderRejected",
    "OrderState",
    "Part",
    "PlaceOrder",
    "PositionChanged",
    "PositionPhase",
    "PositionState",
    "Range",
    "ReduceOnly",
    "Refusal",
    "Side",
    "Signal",
    "StrayOrder",
    "SymbolHalted",
    "Target",
    "TradeClosed",
    "TradingHalted",
    "TradingResumed",
    "VenueAlert",
    "VenueRefusal",
]
