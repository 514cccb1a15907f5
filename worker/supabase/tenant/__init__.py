"""What the HTTP API reads and writes for a caller: one module for each kind of row."""

from worker.supabase.tenant.tenant import Row, Tenant

__all__ = ["Row", "Tenant"]
