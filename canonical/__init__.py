"""The business documents of a hospital's supply chain and the rules about them. Imports nobody."""

from canonical.advice import ApplicationAdvice
from canonical.catalog import PriceCatalog
from canonical.change import OrderChange
from canonical.invoice import Invoice
from canonical.order import OrderAcknowledgement, PurchaseOrder
from canonical.payment import Payment
from canonical.requisition import Requisition
from canonical.shipment import ShipNotice
from canonical.types import Document

DOCUMENTS: dict[str, type[Document]] = {
    model.TYPE: model
    for model in (
        Requisition, PurchaseOrder, OrderAcknowledgement, OrderChange, ShipNotice, Invoice, Payment, PriceCatalog,
        ApplicationAdvice,
    )
}  # fmt: skip

__all__ = [
    "DOCUMENTS", "ApplicationAdvice", "Document", "Invoice", "OrderAcknowledgement", "OrderChange", "Payment",
    "PriceCatalog", "PurchaseOrder", "Requisition", "ShipNotice",
]  # fmt: skip
