"""What the matrix should say: a line a table, view and function."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace

from tests.sql.matrix.access import (
    ADMIN_ONLY,
    ADMIN_READS_HERALD_WRITES,
    ADMINS,
    APPEND_ONLY,
    HERALD,
    INVOLVED,
    MEMBERS,
    NOBODY,
    ORG_READS_ADMIN_WRITES,
    ORG_READS_HERALD_WRITES,
    SIGNED_IN,
    Access,
    Outcome,
    Verb,
)
from tests.sql.matrix.ground import Ground
from tests.sql.matrix.recipes import Json
from tests.sql.matrix.speakers import Place, Standing


@dataclass(frozen=True, slots=True)
class Table:
    """insert, update: the columns that a CRM user may write, apart by spaces; `*`: all of them.

    system: who may what with rows of no organisation, if that is not what `access` says of an outsider.
    """

    access: Access
    insert: str = ""
    update: str = ""
    system: Access | None = None

    def access_to(self, place: Place) -> Access:
        return self.system if self.system and place is Place.SYSTEM else self.access


#: Read by the organisation, written by the CRM's own means.
CRM_OWN = Table(ORG_READS_HERALD_WRITES)
#: What concerns an account that may be private; written by Herald.
INVOLVED_READS = Access(INVOLVED, HERALD, HERALD, HERALD)

_CONFIG = (
    "auto_schedule_messages default_workshop_time timezone message_schedule quiet_hours opt_out_words"
    " require_opt_in private_sessions retention_days log_retention_days in_doubt_policy unreadable_policy"
    " paused_until pause_reason"
)
_CONTACT = (
    "phone lid jid display_name lead_id persona engagement_score opted_in_at opt_in_source opted_out_at"
    " opt_out_source attributes"
)
_ENDPOINT = "url description events enabled"
_SESSION = (
    "enabled owner_id display_name desired_state paused_until pause_reason daily_limit per_group_per_minute"
    " min_gap_ms warmup_started_at warmup_days"
)
_TASK = "scheduled_for template_id recipient_filter metadata"
_TEMPLATE = "name description content media_url language category components is_default is_active"

TABLES: Mapping[str, Table] = {
    # The CRM's own
    "organizations": CRM_OWN,
    "profiles": CRM_OWN,
    "workshops": Table(ORG_READS_ADMIN_WRITES, insert="*", update="*"),
    "workshop_attendees": Table(
        ORG_READS_ADMIN_WRITES,
        insert="organization_id workshop_id name phone status attributes",
        update="name phone status attributes",
    ),
    "notification_queue": Table(
        replace(ORG_READS_ADMIN_WRITES, delete=HERALD),
        insert="organization_id type template recipient_phone recipient_name message_data priority max_attempts"
        " scheduled_for",
        update="template recipient_phone recipient_name message_data priority scheduled_for status",
    ),
    # Settings
    "workshop_automation_config": Table(
        replace(ORG_READS_ADMIN_WRITES, delete=HERALD), insert=f"organization_id {_CONFIG}", update=_CONFIG
    ),
    "whatsapp_message_templates": Table(
        ORG_READS_ADMIN_WRITES,
        insert=f"organization_id {_TEMPLATE}",
        update=_TEMPLATE,
        system=replace(ORG_READS_ADMIN_WRITES, select=SIGNED_IN),
    ),
    "whatsapp_webhook_endpoints": Table(ADMIN_ONLY, insert=f"organization_id {_ENDPOINT}", update=_ENDPOINT),
    # Accounts; what is a key to one is for admins
    "whatsapp_sessions": Table(ADMIN_ONLY, insert=f"organization_id provider {_SESSION}", update=_SESSION),
    "whatsapp_session_users": Table(
        replace(ADMIN_ONLY, update=HERALD), insert="organization_id session_id user_id"
    ),
    "whatsapp_cloud_accounts": Table(replace(INVOLVED_READS, delete=ADMINS)),
    "whatsapp_commands": Table(
        replace(ADMIN_ONLY, update=HERALD, delete=HERALD), insert="organization_id session_id kind arguments"
    ),
    # People and what is said
    "whatsapp_groups": Table(replace(INVOLVED_READS, update=ADMINS), update="region segments tags"),
    "whatsapp_contacts": Table(ORG_READS_ADMIN_WRITES, insert=f"organization_id {_CONTACT}", update=_CONTACT),
    "whatsapp_group_members": Table(INVOLVED_READS),
    "whatsapp_conversations": Table(replace(INVOLVED_READS, update=ADMINS), update="lead_id unread_count"),
    "whatsapp_messages": Table(INVOLVED_READS),
    # Sending
    "scheduled_whatsapp_messages": Table(
        Access(INVOLVED, ADMINS, ADMINS, HERALD),
        insert="organization_id session_id group_id contact_id recipient_phone recipient_name workshop_id"
        " campaign_id message_type message_content template_id template_variables media_url media_kind payload"
        " quoted_message_id mentions priority scheduled_for expires_at max_retries idempotency_key",
        update="message_content template_variables media_url media_kind priority scheduled_for expires_at status",
    ),
    "whatsapp_delivery_logs": Table(INVOLVED_READS),
    "whatsapp_campaigns": Table(
        ORG_READS_ADMIN_WRITES,
        insert="organization_id name audience template_id content_id scheduled_for",
        update="name audience template_id content_id scheduled_for state",
    ),
    "whatsapp_campaign_sessions": Table(
        replace(ORG_READS_ADMIN_WRITES, select=INVOLVED),
        insert="organization_id campaign_id session_id priority",
        update="priority",
    ),
    "whatsapp_automation_tasks": Table(
        ORG_READS_ADMIN_WRITES, insert=f"organization_id workshop_id task_type {_TASK}", update=f"{_TASK} status"
    ),
    # Oversight
    "whatsapp_alerts": Table(replace(INVOLVED_READS, update=ADMINS), update="acknowledged_at resolved_at"),
    "whatsapp_audit_logs": Table(APPEND_ONLY),
    "whatsapp_webhook_events": Table(ADMIN_READS_HERALD_WRITES),
}
#: Columns that name a row by its id alone, so that the database doesn't see whose it is; no person writes them.
UNBOUND = frozenset({"whatsapp_delivery_logs.message_id"})


@dataclass(frozen=True, slots=True)
class View:
    """select: who sees what a row of the table `of` (with these values) contributes. write: what a write meets."""

    of: str
    select: Set[Standing]
    values: Json = field(default_factory=dict)
    write: Outcome = Outcome.NOT_WRITABLE

    def expected(self, verb: Verb, standing: Standing) -> Outcome:
        readers = Access(self.select, NOBODY, NOBODY, NOBODY)
        return readers.expected(verb, standing) if verb is Verb.SELECT else self.write


VIEWS: Mapping[str, View] = {
    "whatsapp_session_overview": View("whatsapp_sessions", INVOLVED),
    "whatsapp_queue_overview": View("scheduled_whatsapp_messages", MEMBERS),
    "whatsapp_open_messages": View("scheduled_whatsapp_messages", INVOLVED),
    "whatsapp_analytics": View("scheduled_whatsapp_messages", INVOLVED),
}


@dataclass(frozen=True, slots=True)
class Rpc:
    """A function that people call. arguments: about an organisation, with something to tell.

    Who isn't among the callers gets an answer whose figures are all nought and lists empty; with refuses, 42501.
    """

    callers: Set[Standing]
    arguments: Callable[[Ground, Place], Json]
    refuses: bool = False


def _contact(ground: Ground, place: Place) -> Json:
    contact = ground.row("whatsapp_contacts", place)
    return {"p_organization": contact["organization_id"], "p_phone": contact["phone"]}


def _recipients(ground: Ground, place: Place) -> Json:
    workshop = ground.row("workshops", place)["id"]
    return {"p_event": workshop, "p_recipients": ["+491709999999"], "p_template": "we_are_live"}


def _template(ground: Ground, place: Place) -> Json:
    template = ground.row("whatsapp_message_templates", place)
    return {"p_organization": template["organization_id"], "p_name": template["id"]}


#: Functions of schema public that people call.
RPCS: Mapping[str, Rpc] = {
    "why_not_sent": Rpc(
        INVOLVED, lambda ground, place: {"p_message": ground.row("scheduled_whatsapp_messages", place)["id"]}
    ),
    "whatsapp_api_message": Rpc(
        INVOLVED,
        lambda ground, place: {
            "p_organization": ground.row("scheduled_whatsapp_messages", place)["organization_id"],
            "p_message": ground.row("scheduled_whatsapp_messages", place)["id"],
        },
    ),
    "whatsapp_stats": Rpc(
        MEMBERS,
        lambda ground, place: {"p_organization": ground.row("whatsapp_contacts", place)["organization_id"]},
    ),
    "whatsapp_api_caller": Rpc(SIGNED_IN | HERALD, lambda *_: {}),
    "whatsapp_explain": Rpc(SIGNED_IN, lambda *_: {"p_error": 'violates check constraint "contact_phone"'}),
    "whatsapp_template": Rpc(MEMBERS, _template),
    "whatsapp_erase_contact": Rpc(ADMINS, _contact, refuses=True),
    "whatsapp_queue_recipients": Rpc(ADMINS, _recipients, refuses=True),
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Functions of schema public that only Herald's own programs call.
HERALD_FUNCTIONS = _names("""
    whatsapp_api_due whatsapp_api_figures whatsapp_api_take whatsapp_claim whatsapp_claims_adopt
    whatsapp_claims_extend whatsapp_claims_return whatsapp_command_finish whatsapp_commands_take
    whatsapp_credentials_forget whatsapp_credentials_keys whatsapp_credentials_list
    whatsapp_credentials_read whatsapp_credentials_rewrap whatsapp_credentials_secret
    whatsapp_credentials_write whatsapp_direct_send_take whatsapp_fallback_due whatsapp_fallback_report
    whatsapp_group_sync
    whatsapp_groups_sync whatsapp_heartbeat whatsapp_housekeeping whatsapp_lease_release
    whatsapp_realtime_canary whatsapp_reap whatsapp_receipts whatsapp_session_alert whatsapp_session_attach
    whatsapp_session_cleanup whatsapp_session_report whatsapp_sessions_deleted whatsapp_settle
    whatsapp_settle_and_claim whatsapp_settle_and_claim_apart whatsapp_worker_start
    whatsapp_doctor whatsapp_doctor_canary whatsapp_operator_audit whatsapp_operator_message
    whatsapp_operator_overview whatsapp_operator_queue whatsapp_operator_send whatsapp_operator_session
    whatsapp_operator_settle
""")

#: Functions of schema herald that people's own statements run: policies, defaults, checks and views need them.
HELPERS = _names("""
    clock is_list is_quiet_hours is_readable is_super_admin is_timezone my_admin_organizations my_hidden_sessions
    my_organizations
    named_recipients organization_queue period_stats possible_date queue_for queue_overview refusal_words refuse
    row_policy_refuses schedule_problem seen_open_messages session_overview template
""")
