"""Generated from supabase/migrations by scripts/types (supabase gen types); don't edit."""

from __future__ import annotations

import datetime
import uuid
from typing import (
    Annotated,
    NotRequired,
    TypedDict,
)

from pydantic import BaseModel, Field, JsonValue


class PublicNotificationQueue(BaseModel):
    attempts: int = Field(alias="attempts")
    created_at: datetime.datetime = Field(alias="created_at")
    error_message: str | None = Field(alias="error_message")
    id: uuid.UUID = Field(alias="id")
    max_attempts: int = Field(alias="max_attempts")
    message_data: JsonValue = Field(alias="message_data")
    organization_id: uuid.UUID = Field(alias="organization_id")
    priority: int = Field(alias="priority")
    recipient_name: str | None = Field(alias="recipient_name")
    recipient_phone: str | None = Field(alias="recipient_phone")
    scheduled_for: datetime.datetime = Field(alias="scheduled_for")
    sent_at: datetime.datetime | None = Field(alias="sent_at")
    status: str = Field(alias="status")
    template: str = Field(alias="template")
    type: str = Field(alias="type")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicNotificationQueueInsert(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    max_attempts: NotRequired[Annotated[int, Field(alias="max_attempts")]]
    message_data: NotRequired[Annotated[JsonValue, Field(alias="message_data")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    recipient_name: NotRequired[Annotated[str | None, Field(alias="recipient_name")]]
    recipient_phone: NotRequired[Annotated[str | None, Field(alias="recipient_phone")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime, Field(alias="scheduled_for")]]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    template: Annotated[str, Field(alias="template")]
    type: Annotated[str, Field(alias="type")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicNotificationQueueUpdate(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    max_attempts: NotRequired[Annotated[int, Field(alias="max_attempts")]]
    message_data: NotRequired[Annotated[JsonValue, Field(alias="message_data")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    recipient_name: NotRequired[Annotated[str | None, Field(alias="recipient_name")]]
    recipient_phone: NotRequired[Annotated[str | None, Field(alias="recipient_phone")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime, Field(alias="scheduled_for")]]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    template: NotRequired[Annotated[str, Field(alias="template")]]
    type: NotRequired[Annotated[str, Field(alias="type")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicOrganizations(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicOrganizationsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicOrganizationsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicProfiles(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    full_name: str | None = Field(alias="full_name")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    role: str = Field(alias="role")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicProfilesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    full_name: NotRequired[Annotated[str | None, Field(alias="full_name")]]
    id: Annotated[uuid.UUID, Field(alias="id")]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    role: NotRequired[Annotated[str, Field(alias="role")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicProfilesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    full_name: NotRequired[Annotated[str | None, Field(alias="full_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    role: NotRequired[Annotated[str, Field(alias="role")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicScheduledWhatsappMessages(BaseModel):
    campaign_id: uuid.UUID | None = Field(alias="campaign_id")
    contact_id: uuid.UUID | None = Field(alias="contact_id")
    created_at: datetime.datetime = Field(alias="created_at")
    delivered_at: datetime.datetime | None = Field(alias="delivered_at")
    delivered_count: int = Field(alias="delivered_count")
    error_code: str | None = Field(alias="error_code")
    error_message: str | None = Field(alias="error_message")
    expires_at: datetime.datetime | None = Field(alias="expires_at")
    group_id: uuid.UUID | None = Field(alias="group_id")
    id: uuid.UUID = Field(alias="id")
    idempotency_key: str | None = Field(alias="idempotency_key")
    max_retries: int = Field(alias="max_retries")
    media_kind: str | None = Field(alias="media_kind")
    media_url: str | None = Field(alias="media_url")
    mentions: list[str] | None = Field(alias="mentions")
    message_content: str = Field(alias="message_content")
    message_type: str = Field(alias="message_type")
    next_attempt_at: datetime.datetime | None = Field(alias="next_attempt_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payload: JsonValue | None = Field(alias="payload")
    priority: int = Field(alias="priority")
    quoted_message_id: str | None = Field(alias="quoted_message_id")
    read_at: datetime.datetime | None = Field(alias="read_at")
    read_count: int = Field(alias="read_count")
    recipient_name: str | None = Field(alias="recipient_name")
    recipient_phone: str | None = Field(alias="recipient_phone")
    redacted_at: datetime.datetime | None = Field(alias="redacted_at")
    responded_at: datetime.datetime | None = Field(alias="responded_at")
    retry_count: int = Field(alias="retry_count")
    scheduled_day: datetime.date | None = Field(alias="scheduled_day")
    scheduled_for: datetime.datetime = Field(alias="scheduled_for")
    sent_at: datetime.datetime | None = Field(alias="sent_at")
    sent_by: uuid.UUID | None = Field(alias="sent_by")
    session_id: uuid.UUID = Field(alias="session_id")
    status: str = Field(alias="status")
    template_id: uuid.UUID | None = Field(alias="template_id")
    template_variables: JsonValue = Field(alias="template_variables")
    updated_at: datetime.datetime = Field(alias="updated_at")
    wa_message_id: str | None = Field(alias="wa_message_id")
    workshop_id: uuid.UUID | None = Field(alias="workshop_id")


class PublicScheduledWhatsappMessagesInsert(TypedDict):
    campaign_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="campaign_id")]]
    contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="contact_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    delivered_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="delivered_at")]]
    delivered_count: NotRequired[Annotated[int, Field(alias="delivered_count")]]
    error_code: NotRequired[Annotated[str | None, Field(alias="error_code")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    expires_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="expires_at")]]
    group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="group_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[str | None, Field(alias="idempotency_key")]]
    max_retries: NotRequired[Annotated[int, Field(alias="max_retries")]]
    media_kind: NotRequired[Annotated[str | None, Field(alias="media_kind")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    mentions: NotRequired[Annotated[list[str] | None, Field(alias="mentions")]]
    message_content: NotRequired[Annotated[str, Field(alias="message_content")]]
    message_type: NotRequired[Annotated[str, Field(alias="message_type")]]
    next_attempt_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="next_attempt_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payload: NotRequired[Annotated[JsonValue | None, Field(alias="payload")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    quoted_message_id: NotRequired[Annotated[str | None, Field(alias="quoted_message_id")]]
    read_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="read_at")]]
    read_count: NotRequired[Annotated[int, Field(alias="read_count")]]
    recipient_name: NotRequired[Annotated[str | None, Field(alias="recipient_name")]]
    recipient_phone: NotRequired[Annotated[str | None, Field(alias="recipient_phone")]]
    redacted_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="redacted_at")]]
    responded_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="responded_at")]]
    retry_count: NotRequired[Annotated[int, Field(alias="retry_count")]]
    scheduled_day: NotRequired[Annotated[datetime.date | None, Field(alias="scheduled_day")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime, Field(alias="scheduled_for")]]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    sent_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="sent_by")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    template_variables: NotRequired[Annotated[JsonValue, Field(alias="template_variables")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    wa_message_id: NotRequired[Annotated[str | None, Field(alias="wa_message_id")]]
    workshop_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="workshop_id")]]


class PublicScheduledWhatsappMessagesUpdate(TypedDict):
    campaign_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="campaign_id")]]
    contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="contact_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    delivered_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="delivered_at")]]
    delivered_count: NotRequired[Annotated[int, Field(alias="delivered_count")]]
    error_code: NotRequired[Annotated[str | None, Field(alias="error_code")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    expires_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="expires_at")]]
    group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="group_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[str | None, Field(alias="idempotency_key")]]
    max_retries: NotRequired[Annotated[int, Field(alias="max_retries")]]
    media_kind: NotRequired[Annotated[str | None, Field(alias="media_kind")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    mentions: NotRequired[Annotated[list[str] | None, Field(alias="mentions")]]
    message_content: NotRequired[Annotated[str, Field(alias="message_content")]]
    message_type: NotRequired[Annotated[str, Field(alias="message_type")]]
    next_attempt_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="next_attempt_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payload: NotRequired[Annotated[JsonValue | None, Field(alias="payload")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    quoted_message_id: NotRequired[Annotated[str | None, Field(alias="quoted_message_id")]]
    read_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="read_at")]]
    read_count: NotRequired[Annotated[int, Field(alias="read_count")]]
    recipient_name: NotRequired[Annotated[str | None, Field(alias="recipient_name")]]
    recipient_phone: NotRequired[Annotated[str | None, Field(alias="recipient_phone")]]
    redacted_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="redacted_at")]]
    responded_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="responded_at")]]
    retry_count: NotRequired[Annotated[int, Field(alias="retry_count")]]
    scheduled_day: NotRequired[Annotated[datetime.date | None, Field(alias="scheduled_day")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime, Field(alias="scheduled_for")]]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    sent_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="sent_by")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    template_variables: NotRequired[Annotated[JsonValue, Field(alias="template_variables")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    wa_message_id: NotRequired[Annotated[str | None, Field(alias="wa_message_id")]]
    workshop_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="workshop_id")]]


class PublicWhatsappAlerts(BaseModel):
    acknowledged_at: datetime.datetime | None = Field(alias="acknowledged_at")
    acknowledged_by: uuid.UUID | None = Field(alias="acknowledged_by")
    created_at: datetime.datetime = Field(alias="created_at")
    details: JsonValue = Field(alias="details")
    id: uuid.UUID = Field(alias="id")
    kind: str = Field(alias="kind")
    last_raised_at: datetime.datetime = Field(alias="last_raised_at")
    message: str = Field(alias="message")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    raised_count: int = Field(alias="raised_count")
    resolved_at: datetime.datetime | None = Field(alias="resolved_at")
    session_id: uuid.UUID | None = Field(alias="session_id")
    severity: str = Field(alias="severity")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappAlertsInsert(TypedDict):
    acknowledged_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="acknowledged_at")]]
    acknowledged_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="acknowledged_by")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details: NotRequired[Annotated[JsonValue, Field(alias="details")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[str, Field(alias="kind")]
    last_raised_at: NotRequired[Annotated[datetime.datetime, Field(alias="last_raised_at")]]
    message: Annotated[str, Field(alias="message")]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    raised_count: NotRequired[Annotated[int, Field(alias="raised_count")]]
    resolved_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="resolved_at")]]
    session_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="session_id")]]
    severity: NotRequired[Annotated[str, Field(alias="severity")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappAlertsUpdate(TypedDict):
    acknowledged_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="acknowledged_at")]]
    acknowledged_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="acknowledged_by")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details: NotRequired[Annotated[JsonValue, Field(alias="details")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    last_raised_at: NotRequired[Annotated[datetime.datetime, Field(alias="last_raised_at")]]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    raised_count: NotRequired[Annotated[int, Field(alias="raised_count")]]
    resolved_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="resolved_at")]]
    session_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="session_id")]]
    severity: NotRequired[Annotated[str, Field(alias="severity")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappAuditLogs(BaseModel):
    actor: str = Field(alias="actor")
    actor_id: uuid.UUID | None = Field(alias="actor_id")
    created_at: datetime.datetime = Field(alias="created_at")
    event_data: JsonValue = Field(alias="event_data")
    event_type: str = Field(alias="event_type")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    session_id: uuid.UUID | None = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappAuditLogsInsert(TypedDict):
    actor: NotRequired[Annotated[str, Field(alias="actor")]]
    actor_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="actor_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    event_data: NotRequired[Annotated[JsonValue, Field(alias="event_data")]]
    event_type: Annotated[str, Field(alias="event_type")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    session_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappAuditLogsUpdate(TypedDict):
    actor: NotRequired[Annotated[str, Field(alias="actor")]]
    actor_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="actor_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    event_data: NotRequired[Annotated[JsonValue, Field(alias="event_data")]]
    event_type: NotRequired[Annotated[str, Field(alias="event_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    session_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappAutomationTasks(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    error_message: str | None = Field(alias="error_message")
    id: uuid.UUID = Field(alias="id")
    metadata: JsonValue = Field(alias="metadata")
    organization_id: uuid.UUID = Field(alias="organization_id")
    queued_count: int = Field(alias="queued_count")
    recipient_filter: JsonValue = Field(alias="recipient_filter")
    rule: str | None = Field(alias="rule")
    scheduled_for: datetime.datetime = Field(alias="scheduled_for")
    status: str = Field(alias="status")
    task_type: str = Field(alias="task_type")
    template_id: uuid.UUID | None = Field(alias="template_id")
    updated_at: datetime.datetime = Field(alias="updated_at")
    workshop_id: uuid.UUID = Field(alias="workshop_id")


class PublicWhatsappAutomationTasksInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    metadata: NotRequired[Annotated[JsonValue, Field(alias="metadata")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    queued_count: NotRequired[Annotated[int, Field(alias="queued_count")]]
    recipient_filter: NotRequired[Annotated[JsonValue, Field(alias="recipient_filter")]]
    rule: NotRequired[Annotated[str | None, Field(alias="rule")]]
    scheduled_for: Annotated[datetime.datetime, Field(alias="scheduled_for")]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    task_type: Annotated[str, Field(alias="task_type")]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: Annotated[uuid.UUID, Field(alias="workshop_id")]


class PublicWhatsappAutomationTasksUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    metadata: NotRequired[Annotated[JsonValue, Field(alias="metadata")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    queued_count: NotRequired[Annotated[int, Field(alias="queued_count")]]
    recipient_filter: NotRequired[Annotated[JsonValue, Field(alias="recipient_filter")]]
    rule: NotRequired[Annotated[str | None, Field(alias="rule")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime, Field(alias="scheduled_for")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    task_type: NotRequired[Annotated[str, Field(alias="task_type")]]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: NotRequired[Annotated[uuid.UUID, Field(alias="workshop_id")]]


class PublicWhatsappCampaignSessions(BaseModel):
    campaign_id: uuid.UUID = Field(alias="campaign_id")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    priority: int = Field(alias="priority")
    session_id: uuid.UUID = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappCampaignSessionsInsert(TypedDict):
    campaign_id: Annotated[uuid.UUID, Field(alias="campaign_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCampaignSessionsUpdate(TypedDict):
    campaign_id: NotRequired[Annotated[uuid.UUID, Field(alias="campaign_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCampaigns(BaseModel):
    audience: JsonValue = Field(alias="audience")
    content_id: uuid.UUID | None = Field(alias="content_id")
    created_at: datetime.datetime = Field(alias="created_at")
    created_by: uuid.UUID | None = Field(alias="created_by")
    delivered_count: int = Field(alias="delivered_count")
    failed_count: int = Field(alias="failed_count")
    finished_at: datetime.datetime | None = Field(alias="finished_at")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    read_count: int = Field(alias="read_count")
    scheduled_for: datetime.datetime | None = Field(alias="scheduled_for")
    sent_count: int = Field(alias="sent_count")
    started_at: datetime.datetime | None = Field(alias="started_at")
    state: str = Field(alias="state")
    template_id: uuid.UUID | None = Field(alias="template_id")
    total_count: int = Field(alias="total_count")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappCampaignsInsert(TypedDict):
    audience: NotRequired[Annotated[JsonValue, Field(alias="audience")]]
    content_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="content_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="created_by")]]
    delivered_count: NotRequired[Annotated[int, Field(alias="delivered_count")]]
    failed_count: NotRequired[Annotated[int, Field(alias="failed_count")]]
    finished_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="finished_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    read_count: NotRequired[Annotated[int, Field(alias="read_count")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime | None, Field(alias="scheduled_for")]]
    sent_count: NotRequired[Annotated[int, Field(alias="sent_count")]]
    started_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="started_at")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    total_count: NotRequired[Annotated[int, Field(alias="total_count")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCampaignsUpdate(TypedDict):
    audience: NotRequired[Annotated[JsonValue, Field(alias="audience")]]
    content_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="content_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="created_by")]]
    delivered_count: NotRequired[Annotated[int, Field(alias="delivered_count")]]
    failed_count: NotRequired[Annotated[int, Field(alias="failed_count")]]
    finished_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="finished_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    read_count: NotRequired[Annotated[int, Field(alias="read_count")]]
    scheduled_for: NotRequired[Annotated[datetime.datetime | None, Field(alias="scheduled_for")]]
    sent_count: NotRequired[Annotated[int, Field(alias="sent_count")]]
    started_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="started_at")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    template_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="template_id")]]
    total_count: NotRequired[Annotated[int, Field(alias="total_count")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCloudAccounts(BaseModel):
    business_account_id: str = Field(alias="business_account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phone_number_id: str = Field(alias="phone_number_id")
    quality_rating: str = Field(alias="quality_rating")
    rate_limit_tier: str = Field(alias="rate_limit_tier")
    session_id: uuid.UUID = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappCloudAccountsInsert(TypedDict):
    business_account_id: Annotated[str, Field(alias="business_account_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    phone_number_id: Annotated[str, Field(alias="phone_number_id")]
    quality_rating: NotRequired[Annotated[str, Field(alias="quality_rating")]]
    rate_limit_tier: NotRequired[Annotated[str, Field(alias="rate_limit_tier")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCloudAccountsUpdate(TypedDict):
    business_account_id: NotRequired[Annotated[str, Field(alias="business_account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone_number_id: NotRequired[Annotated[str, Field(alias="phone_number_id")]]
    quality_rating: NotRequired[Annotated[str, Field(alias="quality_rating")]]
    rate_limit_tier: NotRequired[Annotated[str, Field(alias="rate_limit_tier")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCommands(BaseModel):
    arguments: JsonValue = Field(alias="arguments")
    created_at: datetime.datetime = Field(alias="created_at")
    error_message: str | None = Field(alias="error_message")
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    kind: str = Field(alias="kind")
    organization_id: uuid.UUID = Field(alias="organization_id")
    requested_by: uuid.UUID | None = Field(alias="requested_by")
    result: JsonValue | None = Field(alias="result")
    session_id: uuid.UUID = Field(alias="session_id")
    state: str = Field(alias="state")
    taken_by: uuid.UUID | None = Field(alias="taken_by")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappCommandsInsert(TypedDict):
    arguments: NotRequired[Annotated[JsonValue, Field(alias="arguments")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[str, Field(alias="kind")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    requested_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="requested_by")]]
    result: NotRequired[Annotated[JsonValue | None, Field(alias="result")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    taken_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="taken_by")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappCommandsUpdate(TypedDict):
    arguments: NotRequired[Annotated[JsonValue, Field(alias="arguments")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    requested_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="requested_by")]]
    result: NotRequired[Annotated[JsonValue | None, Field(alias="result")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    state: NotRequired[Annotated[str, Field(alias="state")]]
    taken_by: NotRequired[Annotated[uuid.UUID | None, Field(alias="taken_by")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappContacts(BaseModel):
    attributes: JsonValue = Field(alias="attributes")
    created_at: datetime.datetime = Field(alias="created_at")
    display_name: str | None = Field(alias="display_name")
    engagement_score: int | None = Field(alias="engagement_score")
    id: uuid.UUID = Field(alias="id")
    jid: str | None = Field(alias="jid")
    lead_id: uuid.UUID | None = Field(alias="lead_id")
    lid: str | None = Field(alias="lid")
    opt_in_source: str | None = Field(alias="opt_in_source")
    opt_out_source: str | None = Field(alias="opt_out_source")
    opted_in_at: datetime.datetime | None = Field(alias="opted_in_at")
    opted_out_at: datetime.datetime | None = Field(alias="opted_out_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    persona: str | None = Field(alias="persona")
    phone: str | None = Field(alias="phone")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappContactsInsert(TypedDict):
    attributes: NotRequired[Annotated[JsonValue, Field(alias="attributes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[str | None, Field(alias="display_name")]]
    engagement_score: NotRequired[Annotated[int | None, Field(alias="engagement_score")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    jid: NotRequired[Annotated[str | None, Field(alias="jid")]]
    lead_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="lead_id")]]
    lid: NotRequired[Annotated[str | None, Field(alias="lid")]]
    opt_in_source: NotRequired[Annotated[str | None, Field(alias="opt_in_source")]]
    opt_out_source: NotRequired[Annotated[str | None, Field(alias="opt_out_source")]]
    opted_in_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="opted_in_at")]]
    opted_out_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="opted_out_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    persona: NotRequired[Annotated[str | None, Field(alias="persona")]]
    phone: NotRequired[Annotated[str | None, Field(alias="phone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappContactsUpdate(TypedDict):
    attributes: NotRequired[Annotated[JsonValue, Field(alias="attributes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    display_name: NotRequired[Annotated[str | None, Field(alias="display_name")]]
    engagement_score: NotRequired[Annotated[int | None, Field(alias="engagement_score")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    jid: NotRequired[Annotated[str | None, Field(alias="jid")]]
    lead_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="lead_id")]]
    lid: NotRequired[Annotated[str | None, Field(alias="lid")]]
    opt_in_source: NotRequired[Annotated[str | None, Field(alias="opt_in_source")]]
    opt_out_source: NotRequired[Annotated[str | None, Field(alias="opt_out_source")]]
    opted_in_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="opted_in_at")]]
    opted_out_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="opted_out_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    persona: NotRequired[Annotated[str | None, Field(alias="persona")]]
    phone: NotRequired[Annotated[str | None, Field(alias="phone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappConversations(BaseModel):
    contact_id: uuid.UUID | None = Field(alias="contact_id")
    created_at: datetime.datetime = Field(alias="created_at")
    group_id: uuid.UUID | None = Field(alias="group_id")
    id: uuid.UUID = Field(alias="id")
    last_inbound_at: datetime.datetime | None = Field(alias="last_inbound_at")
    last_message: str | None = Field(alias="last_message")
    last_message_at: datetime.datetime | None = Field(alias="last_message_at")
    lead_id: uuid.UUID | None = Field(alias="lead_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    session_id: uuid.UUID = Field(alias="session_id")
    unread_count: int = Field(alias="unread_count")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappConversationsInsert(TypedDict):
    contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="contact_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="group_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_inbound_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_inbound_at")]]
    last_message: NotRequired[Annotated[str | None, Field(alias="last_message")]]
    last_message_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_message_at")]]
    lead_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="lead_id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    unread_count: NotRequired[Annotated[int, Field(alias="unread_count")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappConversationsUpdate(TypedDict):
    contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="contact_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="group_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_inbound_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_inbound_at")]]
    last_message: NotRequired[Annotated[str | None, Field(alias="last_message")]]
    last_message_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_message_at")]]
    lead_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="lead_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    unread_count: NotRequired[Annotated[int, Field(alias="unread_count")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappDeliveryLogs(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    delivered_at: datetime.datetime | None = Field(alias="delivered_at")
    error_code: str | None = Field(alias="error_code")
    error_message: str | None = Field(alias="error_message")
    failed_at: datetime.datetime | None = Field(alias="failed_at")
    id: uuid.UUID = Field(alias="id")
    message_id: uuid.UUID = Field(alias="message_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    pricing_category: str | None = Field(alias="pricing_category")
    read_at: datetime.datetime | None = Field(alias="read_at")
    recipient: str = Field(alias="recipient")
    sent_at: datetime.datetime | None = Field(alias="sent_at")
    session_id: uuid.UUID = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappDeliveryLogsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    delivered_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="delivered_at")]]
    error_code: NotRequired[Annotated[str | None, Field(alias="error_code")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    failed_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="failed_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message_id: Annotated[uuid.UUID, Field(alias="message_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    pricing_category: NotRequired[Annotated[str | None, Field(alias="pricing_category")]]
    read_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="read_at")]]
    recipient: Annotated[str, Field(alias="recipient")]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappDeliveryLogsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    delivered_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="delivered_at")]]
    error_code: NotRequired[Annotated[str | None, Field(alias="error_code")]]
    error_message: NotRequired[Annotated[str | None, Field(alias="error_message")]]
    failed_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="failed_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message_id: NotRequired[Annotated[uuid.UUID, Field(alias="message_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    pricing_category: NotRequired[Annotated[str | None, Field(alias="pricing_category")]]
    read_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="read_at")]]
    recipient: NotRequired[Annotated[str, Field(alias="recipient")]]
    sent_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="sent_at")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappGroupMembers(BaseModel):
    contact_id: uuid.UUID = Field(alias="contact_id")
    created_at: datetime.datetime = Field(alias="created_at")
    group_id: uuid.UUID = Field(alias="group_id")
    id: uuid.UUID = Field(alias="id")
    is_admin: bool = Field(alias="is_admin")
    joined_at: datetime.datetime | None = Field(alias="joined_at")
    left_at: datetime.datetime | None = Field(alias="left_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappGroupMembersInsert(TypedDict):
    contact_id: Annotated[uuid.UUID, Field(alias="contact_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_id: Annotated[uuid.UUID, Field(alias="group_id")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_admin: NotRequired[Annotated[bool, Field(alias="is_admin")]]
    joined_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="joined_at")]]
    left_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="left_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappGroupMembersUpdate(TypedDict):
    contact_id: NotRequired[Annotated[uuid.UUID, Field(alias="contact_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_id: NotRequired[Annotated[uuid.UUID, Field(alias="group_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_admin: NotRequired[Annotated[bool, Field(alias="is_admin")]]
    joined_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="joined_at")]]
    left_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="left_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappGroups(BaseModel):
    announce_only: bool = Field(alias="announce_only")
    created_at: datetime.datetime = Field(alias="created_at")
    group_jid: str = Field(alias="group_jid")
    group_name: str = Field(alias="group_name")
    id: uuid.UUID = Field(alias="id")
    invite_link: str | None = Field(alias="invite_link")
    is_active: bool = Field(alias="is_active")
    is_admin: bool = Field(alias="is_admin")
    organization_id: uuid.UUID = Field(alias="organization_id")
    participant_count: int = Field(alias="participant_count")
    region: str | None = Field(alias="region")
    segments: list[str] = Field(alias="segments")
    session_id: uuid.UUID = Field(alias="session_id")
    synced_at: datetime.datetime | None = Field(alias="synced_at")
    tags: list[str] = Field(alias="tags")
    updated_at: datetime.datetime = Field(alias="updated_at")
    workshop_id: uuid.UUID | None = Field(alias="workshop_id")


class PublicWhatsappGroupsInsert(TypedDict):
    announce_only: NotRequired[Annotated[bool, Field(alias="announce_only")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_jid: Annotated[str, Field(alias="group_jid")]
    group_name: NotRequired[Annotated[str, Field(alias="group_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invite_link: NotRequired[Annotated[str | None, Field(alias="invite_link")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_admin: NotRequired[Annotated[bool, Field(alias="is_admin")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    participant_count: NotRequired[Annotated[int, Field(alias="participant_count")]]
    region: NotRequired[Annotated[str | None, Field(alias="region")]]
    segments: NotRequired[Annotated[list[str], Field(alias="segments")]]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    synced_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="synced_at")]]
    tags: NotRequired[Annotated[list[str], Field(alias="tags")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="workshop_id")]]


class PublicWhatsappGroupsUpdate(TypedDict):
    announce_only: NotRequired[Annotated[bool, Field(alias="announce_only")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    group_jid: NotRequired[Annotated[str, Field(alias="group_jid")]]
    group_name: NotRequired[Annotated[str, Field(alias="group_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invite_link: NotRequired[Annotated[str | None, Field(alias="invite_link")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_admin: NotRequired[Annotated[bool, Field(alias="is_admin")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    participant_count: NotRequired[Annotated[int, Field(alias="participant_count")]]
    region: NotRequired[Annotated[str | None, Field(alias="region")]]
    segments: NotRequired[Annotated[list[str], Field(alias="segments")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    synced_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="synced_at")]]
    tags: NotRequired[Annotated[list[str], Field(alias="tags")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="workshop_id")]]


class PublicWhatsappMessageTemplates(BaseModel):
    category: str = Field(alias="category")
    components: JsonValue | None = Field(alias="components")
    content: str = Field(alias="content")
    created_at: datetime.datetime = Field(alias="created_at")
    description: str | None = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    is_default: bool = Field(alias="is_default")
    is_system: bool | None = Field(alias="is_system")
    language: str = Field(alias="language")
    last_used_at: datetime.datetime | None = Field(alias="last_used_at")
    media_url: str | None = Field(alias="media_url")
    meta_status: str | None = Field(alias="meta_status")
    meta_template_id: str | None = Field(alias="meta_template_id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    rejection_reason: str | None = Field(alias="rejection_reason")
    updated_at: datetime.datetime = Field(alias="updated_at")
    usage_count: int = Field(alias="usage_count")
    variables: list[str] = Field(alias="variables")


class PublicWhatsappMessageTemplatesInsert(TypedDict):
    category: NotRequired[Annotated[str, Field(alias="category")]]
    components: NotRequired[Annotated[JsonValue | None, Field(alias="components")]]
    content: Annotated[str, Field(alias="content")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str | None, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_default: NotRequired[Annotated[bool, Field(alias="is_default")]]
    is_system: NotRequired[Annotated[bool | None, Field(alias="is_system")]]
    language: NotRequired[Annotated[str, Field(alias="language")]]
    last_used_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_used_at")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    meta_status: NotRequired[Annotated[str | None, Field(alias="meta_status")]]
    meta_template_id: NotRequired[Annotated[str | None, Field(alias="meta_template_id")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    rejection_reason: NotRequired[Annotated[str | None, Field(alias="rejection_reason")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    variables: NotRequired[Annotated[list[str], Field(alias="variables")]]


class PublicWhatsappMessageTemplatesUpdate(TypedDict):
    category: NotRequired[Annotated[str, Field(alias="category")]]
    components: NotRequired[Annotated[JsonValue | None, Field(alias="components")]]
    content: NotRequired[Annotated[str, Field(alias="content")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str | None, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    is_default: NotRequired[Annotated[bool, Field(alias="is_default")]]
    is_system: NotRequired[Annotated[bool | None, Field(alias="is_system")]]
    language: NotRequired[Annotated[str, Field(alias="language")]]
    last_used_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_used_at")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    meta_status: NotRequired[Annotated[str | None, Field(alias="meta_status")]]
    meta_template_id: NotRequired[Annotated[str | None, Field(alias="meta_template_id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    rejection_reason: NotRequired[Annotated[str | None, Field(alias="rejection_reason")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    usage_count: NotRequired[Annotated[int, Field(alias="usage_count")]]
    variables: NotRequired[Annotated[list[str], Field(alias="variables")]]


class PublicWhatsappMessages(BaseModel):
    content: str = Field(alias="content")
    conversation_id: uuid.UUID = Field(alias="conversation_id")
    created_at: datetime.datetime = Field(alias="created_at")
    direction: str = Field(alias="direction")
    id: uuid.UUID = Field(alias="id")
    kind: str = Field(alias="kind")
    media_kind: str | None = Field(alias="media_kind")
    media_url: str | None = Field(alias="media_url")
    organization_id: uuid.UUID = Field(alias="organization_id")
    quoted_message_id: str | None = Field(alias="quoted_message_id")
    redacted_at: datetime.datetime | None = Field(alias="redacted_at")
    scheduled_message_id: uuid.UUID | None = Field(alias="scheduled_message_id")
    sender: str | None = Field(alias="sender")
    sender_contact_id: uuid.UUID | None = Field(alias="sender_contact_id")
    sent_at: datetime.datetime = Field(alias="sent_at")
    session_id: uuid.UUID = Field(alias="session_id")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    wa_message_id: str = Field(alias="wa_message_id")


class PublicWhatsappMessagesInsert(TypedDict):
    content: NotRequired[Annotated[str, Field(alias="content")]]
    conversation_id: Annotated[uuid.UUID, Field(alias="conversation_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    direction: Annotated[str, Field(alias="direction")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    media_kind: NotRequired[Annotated[str | None, Field(alias="media_kind")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    quoted_message_id: NotRequired[Annotated[str | None, Field(alias="quoted_message_id")]]
    redacted_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="redacted_at")]]
    scheduled_message_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="scheduled_message_id")]]
    sender: NotRequired[Annotated[str | None, Field(alias="sender")]]
    sender_contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="sender_contact_id")]]
    sent_at: Annotated[datetime.datetime, Field(alias="sent_at")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    wa_message_id: Annotated[str, Field(alias="wa_message_id")]


class PublicWhatsappMessagesUpdate(TypedDict):
    content: NotRequired[Annotated[str, Field(alias="content")]]
    conversation_id: NotRequired[Annotated[uuid.UUID, Field(alias="conversation_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    direction: NotRequired[Annotated[str, Field(alias="direction")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    media_kind: NotRequired[Annotated[str | None, Field(alias="media_kind")]]
    media_url: NotRequired[Annotated[str | None, Field(alias="media_url")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    quoted_message_id: NotRequired[Annotated[str | None, Field(alias="quoted_message_id")]]
    redacted_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="redacted_at")]]
    scheduled_message_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="scheduled_message_id")]]
    sender: NotRequired[Annotated[str | None, Field(alias="sender")]]
    sender_contact_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="sender_contact_id")]]
    sent_at: NotRequired[Annotated[datetime.datetime, Field(alias="sent_at")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    wa_message_id: NotRequired[Annotated[str, Field(alias="wa_message_id")]]


class PublicWhatsappSessionUsers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    session_id: uuid.UUID = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicWhatsappSessionUsersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicWhatsappSessionUsersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicWhatsappSessions(BaseModel):
    connected_at: datetime.datetime | None = Field(alias="connected_at")
    created_at: datetime.datetime = Field(alias="created_at")
    daily_limit: int = Field(alias="daily_limit")
    desired_state: str = Field(alias="desired_state")
    display_name: str | None = Field(alias="display_name")
    enabled: bool = Field(alias="enabled")
    health_reasons: list[str] = Field(alias="health_reasons")
    health_score: int = Field(alias="health_score")
    id: uuid.UUID = Field(alias="id")
    last_active_at: datetime.datetime | None = Field(alias="last_active_at")
    last_connected_at: datetime.datetime | None = Field(alias="last_connected_at")
    last_disconnected_at: datetime.datetime | None = Field(alias="last_disconnected_at")
    last_error: str | None = Field(alias="last_error")
    min_gap_ms: int = Field(alias="min_gap_ms")
    organization_id: uuid.UUID = Field(alias="organization_id")
    owner_id: uuid.UUID | None = Field(alias="owner_id")
    pairing_code: str | None = Field(alias="pairing_code")
    pause_reason: str | None = Field(alias="pause_reason")
    paused_until: datetime.datetime | None = Field(alias="paused_until")
    per_group_per_minute: int = Field(alias="per_group_per_minute")
    phone_number: str | None = Field(alias="phone_number")
    provider: str = Field(alias="provider")
    qr_code: str | None = Field(alias="qr_code")
    qr_expires_at: datetime.datetime | None = Field(alias="qr_expires_at")
    retry_count: int = Field(alias="retry_count")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    warmup_days: int = Field(alias="warmup_days")
    warmup_started_at: datetime.datetime | None = Field(alias="warmup_started_at")
    whatsapp_id: str | None = Field(alias="whatsapp_id")


class PublicWhatsappSessionsInsert(TypedDict):
    connected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="connected_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    daily_limit: NotRequired[Annotated[int, Field(alias="daily_limit")]]
    desired_state: NotRequired[Annotated[str, Field(alias="desired_state")]]
    display_name: NotRequired[Annotated[str | None, Field(alias="display_name")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    health_reasons: NotRequired[Annotated[list[str], Field(alias="health_reasons")]]
    health_score: NotRequired[Annotated[int, Field(alias="health_score")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_active_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_active_at")]]
    last_connected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_connected_at")]]
    last_disconnected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_disconnected_at")]]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    min_gap_ms: NotRequired[Annotated[int, Field(alias="min_gap_ms")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    owner_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="owner_id")]]
    pairing_code: NotRequired[Annotated[str | None, Field(alias="pairing_code")]]
    pause_reason: NotRequired[Annotated[str | None, Field(alias="pause_reason")]]
    paused_until: NotRequired[Annotated[datetime.datetime | None, Field(alias="paused_until")]]
    per_group_per_minute: NotRequired[Annotated[int, Field(alias="per_group_per_minute")]]
    phone_number: NotRequired[Annotated[str | None, Field(alias="phone_number")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    qr_code: NotRequired[Annotated[str | None, Field(alias="qr_code")]]
    qr_expires_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="qr_expires_at")]]
    retry_count: NotRequired[Annotated[int, Field(alias="retry_count")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    warmup_days: NotRequired[Annotated[int, Field(alias="warmup_days")]]
    warmup_started_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="warmup_started_at")]]
    whatsapp_id: NotRequired[Annotated[str | None, Field(alias="whatsapp_id")]]


class PublicWhatsappSessionsUpdate(TypedDict):
    connected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="connected_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    daily_limit: NotRequired[Annotated[int, Field(alias="daily_limit")]]
    desired_state: NotRequired[Annotated[str, Field(alias="desired_state")]]
    display_name: NotRequired[Annotated[str | None, Field(alias="display_name")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    health_reasons: NotRequired[Annotated[list[str], Field(alias="health_reasons")]]
    health_score: NotRequired[Annotated[int, Field(alias="health_score")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_active_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_active_at")]]
    last_connected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_connected_at")]]
    last_disconnected_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_disconnected_at")]]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    min_gap_ms: NotRequired[Annotated[int, Field(alias="min_gap_ms")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    owner_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="owner_id")]]
    pairing_code: NotRequired[Annotated[str | None, Field(alias="pairing_code")]]
    pause_reason: NotRequired[Annotated[str | None, Field(alias="pause_reason")]]
    paused_until: NotRequired[Annotated[datetime.datetime | None, Field(alias="paused_until")]]
    per_group_per_minute: NotRequired[Annotated[int, Field(alias="per_group_per_minute")]]
    phone_number: NotRequired[Annotated[str | None, Field(alias="phone_number")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    qr_code: NotRequired[Annotated[str | None, Field(alias="qr_code")]]
    qr_expires_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="qr_expires_at")]]
    retry_count: NotRequired[Annotated[int, Field(alias="retry_count")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    warmup_days: NotRequired[Annotated[int, Field(alias="warmup_days")]]
    warmup_started_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="warmup_started_at")]]
    whatsapp_id: NotRequired[Annotated[str | None, Field(alias="whatsapp_id")]]


class PublicWhatsappWebhookEndpoints(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    description: str | None = Field(alias="description")
    enabled: bool = Field(alias="enabled")
    events: list[str] = Field(alias="events")
    failure_count: int = Field(alias="failure_count")
    id: uuid.UUID = Field(alias="id")
    last_delivery_at: datetime.datetime | None = Field(alias="last_delivery_at")
    last_error: str | None = Field(alias="last_error")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")
    url: str = Field(alias="url")


class PublicWhatsappWebhookEndpointsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str | None, Field(alias="description")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    events: NotRequired[Annotated[list[str], Field(alias="events")]]
    failure_count: NotRequired[Annotated[int, Field(alias="failure_count")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_delivery_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_delivery_at")]]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    url: Annotated[str, Field(alias="url")]


class PublicWhatsappWebhookEndpointsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str | None, Field(alias="description")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    events: NotRequired[Annotated[list[str], Field(alias="events")]]
    failure_count: NotRequired[Annotated[int, Field(alias="failure_count")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_delivery_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="last_delivery_at")]]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    url: NotRequired[Annotated[str, Field(alias="url")]]


class PublicWhatsappWebhookEvents(BaseModel):
    attempts: int = Field(alias="attempts")
    created_at: datetime.datetime = Field(alias="created_at")
    dedup_key: str = Field(alias="dedup_key")
    id: uuid.UUID = Field(alias="id")
    kind: str = Field(alias="kind")
    last_error: str | None = Field(alias="last_error")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    payload: JsonValue = Field(alias="payload")
    processed_at: datetime.datetime | None = Field(alias="processed_at")
    received_at: datetime.datetime = Field(alias="received_at")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWhatsappWebhookEventsInsert(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    dedup_key: Annotated[str, Field(alias="dedup_key")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[str, Field(alias="kind")]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    payload: Annotated[JsonValue, Field(alias="payload")]
    processed_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="processed_at")]]
    received_at: NotRequired[Annotated[datetime.datetime, Field(alias="received_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWhatsappWebhookEventsUpdate(TypedDict):
    attempts: NotRequired[Annotated[int, Field(alias="attempts")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    dedup_key: NotRequired[Annotated[str, Field(alias="dedup_key")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[str, Field(alias="kind")]]
    last_error: NotRequired[Annotated[str | None, Field(alias="last_error")]]
    organization_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="organization_id")]]
    payload: NotRequired[Annotated[JsonValue, Field(alias="payload")]]
    processed_at: NotRequired[Annotated[datetime.datetime | None, Field(alias="processed_at")]]
    received_at: NotRequired[Annotated[datetime.datetime, Field(alias="received_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWorkshopAttendees(BaseModel):
    attributes: JsonValue = Field(alias="attributes")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    name: str | None = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phone: str = Field(alias="phone")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    workshop_id: uuid.UUID = Field(alias="workshop_id")


class PublicWorkshopAttendeesInsert(TypedDict):
    attributes: NotRequired[Annotated[JsonValue, Field(alias="attributes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str | None, Field(alias="name")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    phone: Annotated[str, Field(alias="phone")]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: Annotated[uuid.UUID, Field(alias="workshop_id")]


class PublicWorkshopAttendeesUpdate(TypedDict):
    attributes: NotRequired[Annotated[JsonValue, Field(alias="attributes")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str | None, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[str, Field(alias="phone")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    workshop_id: NotRequired[Annotated[uuid.UUID, Field(alias="workshop_id")]]


class PublicWorkshopAutomationConfig(BaseModel):
    auto_schedule_messages: bool = Field(alias="auto_schedule_messages")
    created_at: datetime.datetime = Field(alias="created_at")
    default_workshop_time: datetime.time = Field(alias="default_workshop_time")
    id: uuid.UUID = Field(alias="id")
    in_doubt_policy: str = Field(alias="in_doubt_policy")
    log_retention_days: int = Field(alias="log_retention_days")
    message_schedule: JsonValue = Field(alias="message_schedule")
    opt_out_words: list[str] = Field(alias="opt_out_words")
    organization_id: uuid.UUID = Field(alias="organization_id")
    pause_reason: str | None = Field(alias="pause_reason")
    paused_until: datetime.datetime | None = Field(alias="paused_until")
    private_sessions: bool = Field(alias="private_sessions")
    quiet_hours: JsonValue | None = Field(alias="quiet_hours")
    require_opt_in: bool = Field(alias="require_opt_in")
    retention_days: int | None = Field(alias="retention_days")
    timezone: str = Field(alias="timezone")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicWorkshopAutomationConfigInsert(TypedDict):
    auto_schedule_messages: NotRequired[Annotated[bool, Field(alias="auto_schedule_messages")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    default_workshop_time: NotRequired[Annotated[datetime.time, Field(alias="default_workshop_time")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    in_doubt_policy: NotRequired[Annotated[str, Field(alias="in_doubt_policy")]]
    log_retention_days: NotRequired[Annotated[int, Field(alias="log_retention_days")]]
    message_schedule: NotRequired[Annotated[JsonValue, Field(alias="message_schedule")]]
    opt_out_words: NotRequired[Annotated[list[str], Field(alias="opt_out_words")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    pause_reason: NotRequired[Annotated[str | None, Field(alias="pause_reason")]]
    paused_until: NotRequired[Annotated[datetime.datetime | None, Field(alias="paused_until")]]
    private_sessions: NotRequired[Annotated[bool, Field(alias="private_sessions")]]
    quiet_hours: NotRequired[Annotated[JsonValue | None, Field(alias="quiet_hours")]]
    require_opt_in: NotRequired[Annotated[bool, Field(alias="require_opt_in")]]
    retention_days: NotRequired[Annotated[int | None, Field(alias="retention_days")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWorkshopAutomationConfigUpdate(TypedDict):
    auto_schedule_messages: NotRequired[Annotated[bool, Field(alias="auto_schedule_messages")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    default_workshop_time: NotRequired[Annotated[datetime.time, Field(alias="default_workshop_time")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    in_doubt_policy: NotRequired[Annotated[str, Field(alias="in_doubt_policy")]]
    log_retention_days: NotRequired[Annotated[int, Field(alias="log_retention_days")]]
    message_schedule: NotRequired[Annotated[JsonValue, Field(alias="message_schedule")]]
    opt_out_words: NotRequired[Annotated[list[str], Field(alias="opt_out_words")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    pause_reason: NotRequired[Annotated[str | None, Field(alias="pause_reason")]]
    paused_until: NotRequired[Annotated[datetime.datetime | None, Field(alias="paused_until")]]
    private_sessions: NotRequired[Annotated[bool, Field(alias="private_sessions")]]
    quiet_hours: NotRequired[Annotated[JsonValue | None, Field(alias="quiet_hours")]]
    require_opt_in: NotRequired[Annotated[bool, Field(alias="require_opt_in")]]
    retention_days: NotRequired[Annotated[int | None, Field(alias="retention_days")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicWorkshops(BaseModel):
    automation_status: JsonValue | None = Field(alias="automation_status")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    title: str = Field(alias="title")
    updated_at: datetime.datetime = Field(alias="updated_at")
    whatsapp_group_id: uuid.UUID | None = Field(alias="whatsapp_group_id")


class PublicWorkshopsInsert(TypedDict):
    automation_status: NotRequired[Annotated[JsonValue | None, Field(alias="automation_status")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    starts_at: Annotated[datetime.datetime, Field(alias="starts_at")]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    title: Annotated[str, Field(alias="title")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    whatsapp_group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="whatsapp_group_id")]]


class PublicWorkshopsUpdate(TypedDict):
    automation_status: NotRequired[Annotated[JsonValue | None, Field(alias="automation_status")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    title: NotRequired[Annotated[str, Field(alias="title")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    whatsapp_group_id: NotRequired[Annotated[uuid.UUID | None, Field(alias="whatsapp_group_id")]]


class PublicWhatsappAnalytics(BaseModel):
    average_queue_seconds: float | None = Field(alias="average_queue_seconds")
    day: datetime.date | None = Field(alias="day")
    delivered: int | None = Field(alias="delivered")
    failed: int | None = Field(alias="failed")
    in_doubt: int | None = Field(alias="in_doubt")
    organization_id: uuid.UUID = Field(alias="organization_id")
    p95_queue_seconds: float | None = Field(alias="p95_queue_seconds")
    read: int | None = Field(alias="read")
    response_rate: float | None = Field(alias="response_rate")
    sent: int | None = Field(alias="sent")
    session_id: uuid.UUID = Field(alias="session_id")


class PublicWhatsappOpenMessages(BaseModel):
    campaign_id: uuid.UUID | None = Field(alias="campaign_id")
    contact_id: uuid.UUID | None = Field(alias="contact_id")
    created_at: datetime.datetime = Field(alias="created_at")
    delivered_at: datetime.datetime | None = Field(alias="delivered_at")
    delivered_count: int = Field(alias="delivered_count")
    error_code: str | None = Field(alias="error_code")
    error_message: str | None = Field(alias="error_message")
    expires_at: datetime.datetime | None = Field(alias="expires_at")
    group_id: uuid.UUID | None = Field(alias="group_id")
    id: uuid.UUID = Field(alias="id")
    idempotency_key: str | None = Field(alias="idempotency_key")
    max_retries: int = Field(alias="max_retries")
    media_kind: str | None = Field(alias="media_kind")
    media_url: str | None = Field(alias="media_url")
    mentions: list[str] | None = Field(alias="mentions")
    message_content: str = Field(alias="message_content")
    message_type: str = Field(alias="message_type")
    next_attempt_at: datetime.datetime | None = Field(alias="next_attempt_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payload: JsonValue | None = Field(alias="payload")
    priority: int = Field(alias="priority")
    quoted_message_id: str | None = Field(alias="quoted_message_id")
    read_at: datetime.datetime | None = Field(alias="read_at")
    read_count: int = Field(alias="read_count")
    recipient_name: str | None = Field(alias="recipient_name")
    recipient_phone: str | None = Field(alias="recipient_phone")
    redacted_at: datetime.datetime | None = Field(alias="redacted_at")
    responded_at: datetime.datetime | None = Field(alias="responded_at")
    retry_count: int = Field(alias="retry_count")
    scheduled_day: datetime.date | None = Field(alias="scheduled_day")
    scheduled_for: datetime.datetime = Field(alias="scheduled_for")
    sent_at: datetime.datetime | None = Field(alias="sent_at")
    sent_by: uuid.UUID | None = Field(alias="sent_by")
    session_id: uuid.UUID = Field(alias="session_id")
    status: str = Field(alias="status")
    template_id: uuid.UUID | None = Field(alias="template_id")
    template_variables: JsonValue = Field(alias="template_variables")
    updated_at: datetime.datetime = Field(alias="updated_at")
    wa_message_id: str | None = Field(alias="wa_message_id")
    workshop_id: uuid.UUID | None = Field(alias="workshop_id")


class PublicWhatsappQueueOverview(BaseModel):
    accounts: int | None = Field(alias="accounts")
    accounts_connected: int | None = Field(alias="accounts_connected")
    due: int | None = Field(alias="due")
    in_doubt: int | None = Field(alias="in_doubt")
    oldest_due_at: datetime.datetime | None = Field(alias="oldest_due_at")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    pending: int | None = Field(alias="pending")
    sending: int | None = Field(alias="sending")
    stuck: int | None = Field(alias="stuck")


class PublicWhatsappSessionOverview(BaseModel):
    connected_at: datetime.datetime | None = Field(alias="connected_at")
    daily_limit: int | None = Field(alias="daily_limit")
    desired_state: str | None = Field(alias="desired_state")
    display_name: str | None = Field(alias="display_name")
    enabled: bool | None = Field(alias="enabled")
    health_reasons: list[str] | None = Field(alias="health_reasons")
    health_score: int | None = Field(alias="health_score")
    id: uuid.UUID | None = Field(alias="id")
    last_active_at: datetime.datetime | None = Field(alias="last_active_at")
    last_connected_at: datetime.datetime | None = Field(alias="last_connected_at")
    last_disconnected_at: datetime.datetime | None = Field(alias="last_disconnected_at")
    last_error: str | None = Field(alias="last_error")
    organization_id: uuid.UUID | None = Field(alias="organization_id")
    owner_id: uuid.UUID | None = Field(alias="owner_id")
    pause_reason: str | None = Field(alias="pause_reason")
    paused_until: datetime.datetime | None = Field(alias="paused_until")
    phone_number: str | None = Field(alias="phone_number")
    provider: str | None = Field(alias="provider")
    status: str | None = Field(alias="status")
    warmup_started_at: datetime.datetime | None = Field(alias="warmup_started_at")
