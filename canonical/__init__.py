"""The business documents of a hospital's supply chain and the rules about them. Imports nobody."""

from canonical.order import OrderAcknowledgement, PurchaseOrder
from canonical.requisition import Requisition
from canonical.types import Document

DOCUMENTS: dict[str, type[Document]] = {
    "requisition": Requisition,
    "purchase_order": PurchaseOrder,
    "order_acknowledgement": OrderAcknowledgement,
}

__all__ = ["DOCUMENTS", "Document", "OrderAcknowledgement", "PurchaseOrder", "Requisition"]
