// Generated from supabase/migrations by scripts/types (supabase gen types); don't edit.
// deno-fmt-ignore-file
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
export type Database = {
  "public": {
    Tables: {
      "notification_queue": {
        Row: {
          "attempts": number,
          "created_at": string,
          "error_message": string | null,
          "id": string,
          "max_attempts": number,
          "message_data": NonNullable<Json>,
          "organization_id": string,
          "priority": number,
          "recipient_name": string | null,
          "recipient_phone": string | null,
          "scheduled_for": string,
          "sent_at": string | null,
          "status": string,
          "template": string,
          "type": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "attempts"?: number,
          "created_at"?: string,
          "error_message"?: string | null,
          "id"?: string,
          "max_attempts"?: number,
          "message_data"?: NonNullable<Json>,
          "organization_id": string,
          "priority"?: number,
          "recipient_name"?: string | null,
          "recipient_phone"?: string | null,
          "scheduled_for"?: string,
          "sent_at"?: string | null,
          "status"?: string,
          "template": string,
          "type": string,
          "updated_at"?: string
        }
        Update: {
          "attempts"?: number,
          "created_at"?: string,
          "error_message"?: string | null,
          "id"?: string,
          "max_attempts"?: number,
          "message_data"?: NonNullable<Json>,
          "organization_id"?: string,
          "priority"?: number,
          "recipient_name"?: string | null,
          "recipient_phone"?: string | null,
          "scheduled_for"?: string,
          "sent_at"?: string | null,
          "status"?: string,
          "template"?: string,
          "type"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "notification_queue_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "organizations": {
        Row: {
          "created_at": string,
          "id": string,
          "name": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "id"?: string,
          "name": string,
          "updated_at"?: string
        }
        Update: {
          "created_at"?: string,
          "id"?: string,
          "name"?: string,
          "updated_at"?: string
        }
        Relationships: [
        ]
      },
      "profiles": {
        Row: {
          "created_at": string,
          "full_name": string | null,
          "id": string,
          "organization_id": string | null,
          "role": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "full_name"?: string | null,
          "id": string,
          "organization_id"?: string | null,
          "role"?: string,
          "updated_at"?: string
        }
        Update: {
          "created_at"?: string,
          "full_name"?: string | null,
          "id"?: string,
          "organization_id"?: string | null,
          "role"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "profiles_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "scheduled_whatsapp_messages": {
        Row: {
          "campaign_id": string | null,
          "contact_id": string | null,
          "created_at": string,
          "delivered_at": string | null,
          "delivered_count": number,
          "error_code": string | null,
          "error_message": string | null,
          "expires_at": string | null,
          "group_id": string | null,
          "id": string,
          "idempotency_key": string | null,
          "max_retries": number,
          "media_kind": string | null,
          "media_url": string | null,
          "mentions": (string)[] | null,
          "message_content": string,
          "message_type": string,
          "next_attempt_at": string | null,
          "organization_id": string,
          "payload": Json | null,
          "priority": number,
          "quoted_message_id": string | null,
          "read_at": string | null,
          "read_count": number,
          "recipient_name": string | null,
          "recipient_phone": string | null,
          "redacted_at": string | null,
          "resent_count": number,
          "responded_at": string | null,
          "retry_count": number,
          "scheduled_day": string | null,
          "scheduled_for": string,
          "sent_at": string | null,
          "sent_by": string | null,
          "session_id": string,
          "status": string,
          "template_id": string | null,
          "template_variables": NonNullable<Json>,
          "unreadable_count": number,
          "updated_at": string,
          "wa_message_id": string | null,
          "workshop_id": string | null
        }
        ComputedFields: never
        Insert: {
          "campaign_id"?: string | null,
          "contact_id"?: string | null,
          "created_at"?: string,
          "delivered_at"?: string | null,
          "delivered_count"?: number,
          "error_code"?: string | null,
          "error_message"?: string | null,
          "expires_at"?: string | null,
          "group_id"?: string | null,
          "id"?: string,
          "idempotency_key"?: string | null,
          "max_retries"?: number,
          "media_kind"?: string | null,
          "media_url"?: string | null,
          "mentions"?: (string)[] | null,
          "message_content"?: string,
          "message_type"?: string,
          "next_attempt_at"?: string | null,
          "organization_id": string,
          "payload"?: Json | null,
          "priority"?: number,
          "quoted_message_id"?: string | null,
          "read_at"?: string | null,
          "read_count"?: number,
          "recipient_name"?: string | null,
          "recipient_phone"?: string | null,
          "redacted_at"?: string | null,
          "resent_count"?: number,
          "responded_at"?: string | null,
          "retry_count"?: number,
          "scheduled_day"?: never,
          "scheduled_for"?: string,
          "sent_at"?: string | null,
          "sent_by"?: string | null,
          "session_id": string,
          "status"?: string,
          "template_id"?: string | null,
          "template_variables"?: NonNullable<Json>,
          "unreadable_count"?: number,
          "updated_at"?: string,
          "wa_message_id"?: string | null,
          "workshop_id"?: string | null
        }
        Update: {
          "campaign_id"?: string | null,
          "contact_id"?: string | null,
          "created_at"?: string,
          "delivered_at"?: string | null,
          "delivered_count"?: number,
          "error_code"?: string | null,
          "error_message"?: string | null,
          "expires_at"?: string | null,
          "group_id"?: string | null,
          "id"?: string,
          "idempotency_key"?: string | null,
          "max_retries"?: number,
          "media_kind"?: string | null,
          "media_url"?: string | null,
          "mentions"?: (string)[] | null,
          "message_content"?: string,
          "message_type"?: string,
          "next_attempt_at"?: string | null,
          "organization_id"?: string,
          "payload"?: Json | null,
          "priority"?: number,
          "quoted_message_id"?: string | null,
          "read_at"?: string | null,
          "read_count"?: number,
          "recipient_name"?: string | null,
          "recipient_phone"?: string | null,
          "redacted_at"?: string | null,
          "resent_count"?: number,
          "responded_at"?: string | null,
          "retry_count"?: number,
          "scheduled_day"?: never,
          "scheduled_for"?: string,
          "sent_at"?: string | null,
          "sent_by"?: string | null,
          "session_id"?: string,
          "status"?: string,
          "template_id"?: string | null,
          "template_variables"?: NonNullable<Json>,
          "unreadable_count"?: number,
          "updated_at"?: string,
          "wa_message_id"?: string | null,
          "workshop_id"?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "message_campaign_fkey"
            columns: ["organization_id", "campaign_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_campaigns"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "message_contact_fkey"
            columns: ["organization_id", "contact_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_contacts"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_session_id_gro_fkey"
            columns: ["organization_id", "session_id", "group_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_groups"
            referencedColumns: ["organization_id", "session_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_workshop_id_fkey"
            columns: ["organization_id", "workshop_id"]
            isOneToOne: false
            referencedRelation: "workshops"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_template_id_fkey"
            columns: ["template_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_message_templates"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_alerts": {
        Row: {
          "acknowledged_at": string | null,
          "acknowledged_by": string | null,
          "created_at": string,
          "details": NonNullable<Json>,
          "id": string,
          "kind": string,
          "last_raised_at": string,
          "message": string,
          "organization_id": string | null,
          "raised_count": number,
          "resolved_at": string | null,
          "session_id": string | null,
          "severity": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "acknowledged_at"?: string | null,
          "acknowledged_by"?: string | null,
          "created_at"?: string,
          "details"?: NonNullable<Json>,
          "id"?: string,
          "kind": string,
          "last_raised_at"?: string,
          "message": string,
          "organization_id"?: string | null,
          "raised_count"?: number,
          "resolved_at"?: string | null,
          "session_id"?: string | null,
          "severity"?: string,
          "updated_at"?: string
        }
        Update: {
          "acknowledged_at"?: string | null,
          "acknowledged_by"?: string | null,
          "created_at"?: string,
          "details"?: NonNullable<Json>,
          "id"?: string,
          "kind"?: string,
          "last_raised_at"?: string,
          "message"?: string,
          "organization_id"?: string | null,
          "raised_count"?: number,
          "resolved_at"?: string | null,
          "session_id"?: string | null,
          "severity"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_alerts_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_alerts_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_audit_logs": {
        Row: {
          "actor": string,
          "actor_id": string | null,
          "created_at": string,
          "event_data": NonNullable<Json>,
          "event_type": string,
          "id": string,
          "organization_id": string,
          "session_id": string | null,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "actor"?: string,
          "actor_id"?: string | null,
          "created_at"?: string,
          "event_data"?: NonNullable<Json>,
          "event_type": string,
          "id"?: string,
          "organization_id": string,
          "session_id"?: string | null,
          "updated_at"?: string
        }
        Update: {
          "actor"?: string,
          "actor_id"?: string | null,
          "created_at"?: string,
          "event_data"?: NonNullable<Json>,
          "event_type"?: string,
          "id"?: string,
          "organization_id"?: string,
          "session_id"?: string | null,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_audit_logs_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_automation_tasks": {
        Row: {
          "created_at": string,
          "error_message": string | null,
          "id": string,
          "metadata": NonNullable<Json>,
          "organization_id": string,
          "queued_count": number,
          "recipient_filter": NonNullable<Json>,
          "rule": string | null,
          "scheduled_for": string,
          "status": string,
          "task_type": string,
          "template_id": string | null,
          "updated_at": string,
          "workshop_id": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "error_message"?: string | null,
          "id"?: string,
          "metadata"?: NonNullable<Json>,
          "organization_id": string,
          "queued_count"?: number,
          "recipient_filter"?: NonNullable<Json>,
          "rule"?: string | null,
          "scheduled_for": string,
          "status"?: string,
          "task_type": string,
          "template_id"?: string | null,
          "updated_at"?: string,
          "workshop_id": string
        }
        Update: {
          "created_at"?: string,
          "error_message"?: string | null,
          "id"?: string,
          "metadata"?: NonNullable<Json>,
          "organization_id"?: string,
          "queued_count"?: number,
          "recipient_filter"?: NonNullable<Json>,
          "rule"?: string | null,
          "scheduled_for"?: string,
          "status"?: string,
          "task_type"?: string,
          "template_id"?: string | null,
          "updated_at"?: string,
          "workshop_id"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_automation_tasks_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_automation_tasks_organization_id_workshop_id_fkey"
            columns: ["organization_id", "workshop_id"]
            isOneToOne: false
            referencedRelation: "workshops"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_automation_tasks_template_id_fkey"
            columns: ["template_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_message_templates"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_campaign_sessions": {
        Row: {
          "campaign_id": string,
          "created_at": string,
          "id": string,
          "organization_id": string,
          "priority": number,
          "session_id": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "campaign_id": string,
          "created_at"?: string,
          "id"?: string,
          "organization_id": string,
          "priority"?: number,
          "session_id": string,
          "updated_at"?: string
        }
        Update: {
          "campaign_id"?: string,
          "created_at"?: string,
          "id"?: string,
          "organization_id"?: string,
          "priority"?: number,
          "session_id"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_campaign_sessions_organization_id_campaign_id_fkey"
            columns: ["organization_id", "campaign_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_campaigns"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_campaign_sessions_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_campaign_sessions_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_campaigns": {
        Row: {
          "audience": NonNullable<Json>,
          "content_id": string | null,
          "created_at": string,
          "created_by": string | null,
          "delivered_count": number,
          "failed_count": number,
          "finished_at": string | null,
          "id": string,
          "name": string,
          "organization_id": string,
          "read_count": number,
          "scheduled_for": string | null,
          "sent_count": number,
          "started_at": string | null,
          "state": string,
          "template_id": string | null,
          "total_count": number,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "audience"?: NonNullable<Json>,
          "content_id"?: string | null,
          "created_at"?: string,
          "created_by"?: string | null,
          "delivered_count"?: number,
          "failed_count"?: number,
          "finished_at"?: string | null,
          "id"?: string,
          "name": string,
          "organization_id": string,
          "read_count"?: number,
          "scheduled_for"?: string | null,
          "sent_count"?: number,
          "started_at"?: string | null,
          "state"?: string,
          "template_id"?: string | null,
          "total_count"?: number,
          "updated_at"?: string
        }
        Update: {
          "audience"?: NonNullable<Json>,
          "content_id"?: string | null,
          "created_at"?: string,
          "created_by"?: string | null,
          "delivered_count"?: number,
          "failed_count"?: number,
          "finished_at"?: string | null,
          "id"?: string,
          "name"?: string,
          "organization_id"?: string,
          "read_count"?: number,
          "scheduled_for"?: string | null,
          "sent_count"?: number,
          "started_at"?: string | null,
          "state"?: string,
          "template_id"?: string | null,
          "total_count"?: number,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_campaigns_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_campaigns_template_id_fkey"
            columns: ["template_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_message_templates"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_cloud_accounts": {
        Row: {
          "business_account_id": string,
          "created_at": string,
          "id": string,
          "organization_id": string,
          "phone_number_id": string,
          "quality_rating": string,
          "rate_limit_tier": string,
          "session_id": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "business_account_id": string,
          "created_at"?: string,
          "id"?: string,
          "organization_id": string,
          "phone_number_id": string,
          "quality_rating"?: string,
          "rate_limit_tier"?: string,
          "session_id": string,
          "updated_at"?: string
        }
        Update: {
          "business_account_id"?: string,
          "created_at"?: string,
          "id"?: string,
          "organization_id"?: string,
          "phone_number_id"?: string,
          "quality_rating"?: string,
          "rate_limit_tier"?: string,
          "session_id"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_cloud_accounts_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_cloud_accounts_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_commands": {
        Row: {
          "arguments": NonNullable<Json>,
          "created_at": string,
          "error_message": string | null,
          "expires_at": string,
          "id": string,
          "kind": string,
          "organization_id": string,
          "requested_by": string | null,
          "result": Json | null,
          "session_id": string,
          "state": string,
          "taken_by": string | null,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "arguments"?: NonNullable<Json>,
          "created_at"?: string,
          "error_message"?: string | null,
          "expires_at"?: string,
          "id"?: string,
          "kind": string,
          "organization_id": string,
          "requested_by"?: string | null,
          "result"?: Json | null,
          "session_id": string,
          "state"?: string,
          "taken_by"?: string | null,
          "updated_at"?: string
        }
        Update: {
          "arguments"?: NonNullable<Json>,
          "created_at"?: string,
          "error_message"?: string | null,
          "expires_at"?: string,
          "id"?: string,
          "kind"?: string,
          "organization_id"?: string,
          "requested_by"?: string | null,
          "result"?: Json | null,
          "session_id"?: string,
          "state"?: string,
          "taken_by"?: string | null,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_commands_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_commands_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_contacts": {
        Row: {
          "attributes": NonNullable<Json>,
          "created_at": string,
          "display_name": string | null,
          "engagement_score": number | null,
          "id": string,
          "jid": string | null,
          "lead_id": string | null,
          "lid": string | null,
          "opt_in_source": string | null,
          "opt_out_source": string | null,
          "opted_in_at": string | null,
          "opted_out_at": string | null,
          "organization_id": string,
          "persona": string | null,
          "phone": string | null,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "attributes"?: NonNullable<Json>,
          "created_at"?: string,
          "display_name"?: string | null,
          "engagement_score"?: number | null,
          "id"?: string,
          "jid"?: string | null,
          "lead_id"?: string | null,
          "lid"?: string | null,
          "opt_in_source"?: string | null,
          "opt_out_source"?: string | null,
          "opted_in_at"?: string | null,
          "opted_out_at"?: string | null,
          "organization_id": string,
          "persona"?: string | null,
          "phone"?: string | null,
          "updated_at"?: string
        }
        Update: {
          "attributes"?: NonNullable<Json>,
          "created_at"?: string,
          "display_name"?: string | null,
          "engagement_score"?: number | null,
          "id"?: string,
          "jid"?: string | null,
          "lead_id"?: string | null,
          "lid"?: string | null,
          "opt_in_source"?: string | null,
          "opt_out_source"?: string | null,
          "opted_in_at"?: string | null,
          "opted_out_at"?: string | null,
          "organization_id"?: string,
          "persona"?: string | null,
          "phone"?: string | null,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_contacts_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_conversations": {
        Row: {
          "contact_id": string | null,
          "created_at": string,
          "group_id": string | null,
          "id": string,
          "last_inbound_at": string | null,
          "last_message": string | null,
          "last_message_at": string | null,
          "lead_id": string | null,
          "organization_id": string,
          "session_id": string,
          "unread_count": number,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "contact_id"?: string | null,
          "created_at"?: string,
          "group_id"?: string | null,
          "id"?: string,
          "last_inbound_at"?: string | null,
          "last_message"?: string | null,
          "last_message_at"?: string | null,
          "lead_id"?: string | null,
          "organization_id": string,
          "session_id": string,
          "unread_count"?: number,
          "updated_at"?: string
        }
        Update: {
          "contact_id"?: string | null,
          "created_at"?: string,
          "group_id"?: string | null,
          "id"?: string,
          "last_inbound_at"?: string | null,
          "last_message"?: string | null,
          "last_message_at"?: string | null,
          "lead_id"?: string | null,
          "organization_id"?: string,
          "session_id"?: string,
          "unread_count"?: number,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_conversations_organization_id_contact_id_fkey"
            columns: ["organization_id", "contact_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_contacts"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_conversations_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_conversations_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_conversations_organization_id_session_id_group_id_fkey"
            columns: ["organization_id", "session_id", "group_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_groups"
            referencedColumns: ["organization_id", "session_id", "id"]
          }
        ]
      },
      "whatsapp_delivery_logs": {
        Row: {
          "created_at": string,
          "delivered_at": string | null,
          "error_code": string | null,
          "error_message": string | null,
          "failed_at": string | null,
          "id": string,
          "message_id": string,
          "organization_id": string,
          "pricing_category": string | null,
          "read_at": string | null,
          "recipient": string,
          "sent_at": string | null,
          "session_id": string,
          "unreadable_at": string | null,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "delivered_at"?: string | null,
          "error_code"?: string | null,
          "error_message"?: string | null,
          "failed_at"?: string | null,
          "id"?: string,
          "message_id": string,
          "organization_id": string,
          "pricing_category"?: string | null,
          "read_at"?: string | null,
          "recipient": string,
          "sent_at"?: string | null,
          "session_id": string,
          "unreadable_at"?: string | null,
          "updated_at"?: string
        }
        Update: {
          "created_at"?: string,
          "delivered_at"?: string | null,
          "error_code"?: string | null,
          "error_message"?: string | null,
          "failed_at"?: string | null,
          "id"?: string,
          "message_id"?: string,
          "organization_id"?: string,
          "pricing_category"?: string | null,
          "read_at"?: string | null,
          "recipient"?: string,
          "sent_at"?: string | null,
          "session_id"?: string,
          "unreadable_at"?: string | null,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_delivery_logs_message_id_fkey"
            columns: ["message_id"]
            isOneToOne: false
            referencedRelation: "scheduled_whatsapp_messages"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_delivery_logs_message_id_fkey"
            columns: ["message_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_open_messages"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_delivery_logs_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_group_members": {
        Row: {
          "contact_id": string,
          "created_at": string,
          "group_id": string,
          "id": string,
          "is_admin": boolean,
          "joined_at": string | null,
          "left_at": string | null,
          "organization_id": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "contact_id": string,
          "created_at"?: string,
          "group_id": string,
          "id"?: string,
          "is_admin"?: boolean,
          "joined_at"?: string | null,
          "left_at"?: string | null,
          "organization_id": string,
          "updated_at"?: string
        }
        Update: {
          "contact_id"?: string,
          "created_at"?: string,
          "group_id"?: string,
          "id"?: string,
          "is_admin"?: boolean,
          "joined_at"?: string | null,
          "left_at"?: string | null,
          "organization_id"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_group_members_organization_id_contact_id_fkey"
            columns: ["organization_id", "contact_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_contacts"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_group_members_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_group_members_organization_id_group_id_fkey"
            columns: ["organization_id", "group_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_groups"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_groups": {
        Row: {
          "announce_only": boolean,
          "created_at": string,
          "group_jid": string,
          "group_name": string,
          "id": string,
          "invite_link": string | null,
          "is_active": boolean,
          "is_admin": boolean,
          "organization_id": string,
          "participant_count": number,
          "region": string | null,
          "segments": (string)[],
          "session_id": string,
          "synced_at": string | null,
          "tags": (string)[],
          "updated_at": string,
          "workshop_id": string | null
        }
        ComputedFields: never
        Insert: {
          "announce_only"?: boolean,
          "created_at"?: string,
          "group_jid": string,
          "group_name"?: string,
          "id"?: string,
          "invite_link"?: string | null,
          "is_active"?: boolean,
          "is_admin"?: boolean,
          "organization_id": string,
          "participant_count"?: number,
          "region"?: string | null,
          "segments"?: (string)[],
          "session_id": string,
          "synced_at"?: string | null,
          "tags"?: (string)[],
          "updated_at"?: string,
          "workshop_id"?: string | null
        }
        Update: {
          "announce_only"?: boolean,
          "created_at"?: string,
          "group_jid"?: string,
          "group_name"?: string,
          "id"?: string,
          "invite_link"?: string | null,
          "is_active"?: boolean,
          "is_admin"?: boolean,
          "organization_id"?: string,
          "participant_count"?: number,
          "region"?: string | null,
          "segments"?: (string)[],
          "session_id"?: string,
          "synced_at"?: string | null,
          "tags"?: (string)[],
          "updated_at"?: string,
          "workshop_id"?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_groups_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_groups_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_groups_workshop_id_fkey"
            columns: ["organization_id", "workshop_id"]
            isOneToOne: false
            referencedRelation: "workshops"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_message_templates": {
        Row: {
          "category": string,
          "components": Json | null,
          "content": string,
          "created_at": string,
          "description": string | null,
          "id": string,
          "is_active": boolean,
          "is_default": boolean,
          "is_system": boolean | null,
          "language": string,
          "last_used_at": string | null,
          "media_url": string | null,
          "meta_status": string | null,
          "meta_template_id": string | null,
          "name": string,
          "organization_id": string | null,
          "rejection_reason": string | null,
          "updated_at": string,
          "usage_count": number,
          "variables": (string)[]
        }
        ComputedFields: never
        Insert: {
          "category"?: string,
          "components"?: Json | null,
          "content": string,
          "created_at"?: string,
          "description"?: string | null,
          "id"?: string,
          "is_active"?: boolean,
          "is_default"?: boolean,
          "is_system"?: never,
          "language"?: string,
          "last_used_at"?: string | null,
          "media_url"?: string | null,
          "meta_status"?: string | null,
          "meta_template_id"?: string | null,
          "name": string,
          "organization_id"?: string | null,
          "rejection_reason"?: string | null,
          "updated_at"?: string,
          "usage_count"?: number,
          "variables"?: (string)[]
        }
        Update: {
          "category"?: string,
          "components"?: Json | null,
          "content"?: string,
          "created_at"?: string,
          "description"?: string | null,
          "id"?: string,
          "is_active"?: boolean,
          "is_default"?: boolean,
          "is_system"?: never,
          "language"?: string,
          "last_used_at"?: string | null,
          "media_url"?: string | null,
          "meta_status"?: string | null,
          "meta_template_id"?: string | null,
          "name"?: string,
          "organization_id"?: string | null,
          "rejection_reason"?: string | null,
          "updated_at"?: string,
          "usage_count"?: number,
          "variables"?: (string)[]
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_message_templates_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_messages": {
        Row: {
          "content": string,
          "conversation_id": string,
          "created_at": string,
          "direction": string,
          "id": string,
          "kind": string,
          "media_kind": string | null,
          "media_url": string | null,
          "organization_id": string,
          "quoted_message_id": string | null,
          "redacted_at": string | null,
          "scheduled_message_id": string | null,
          "sender": string | null,
          "sender_contact_id": string | null,
          "sent_at": string,
          "session_id": string,
          "status": string,
          "updated_at": string,
          "wa_message_id": string
        }
        ComputedFields: never
        Insert: {
          "content"?: string,
          "conversation_id": string,
          "created_at"?: string,
          "direction": string,
          "id"?: string,
          "kind"?: string,
          "media_kind"?: string | null,
          "media_url"?: string | null,
          "organization_id": string,
          "quoted_message_id"?: string | null,
          "redacted_at"?: string | null,
          "scheduled_message_id"?: string | null,
          "sender"?: string | null,
          "sender_contact_id"?: string | null,
          "sent_at": string,
          "session_id": string,
          "status"?: string,
          "updated_at"?: string,
          "wa_message_id": string
        }
        Update: {
          "content"?: string,
          "conversation_id"?: string,
          "created_at"?: string,
          "direction"?: string,
          "id"?: string,
          "kind"?: string,
          "media_kind"?: string | null,
          "media_url"?: string | null,
          "organization_id"?: string,
          "quoted_message_id"?: string | null,
          "redacted_at"?: string | null,
          "scheduled_message_id"?: string | null,
          "sender"?: string | null,
          "sender_contact_id"?: string | null,
          "sent_at"?: string,
          "session_id"?: string,
          "status"?: string,
          "updated_at"?: string,
          "wa_message_id"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_messages_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_messages_organization_id_sender_contact_id_fkey"
            columns: ["organization_id", "sender_contact_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_contacts"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_messages_organization_id_session_id_conversation__fkey"
            columns: ["organization_id", "session_id", "conversation_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_conversations"
            referencedColumns: ["organization_id", "session_id", "id"]
          },
          {
            foreignKeyName: "whatsapp_messages_scheduled_message_id_fkey"
            columns: ["scheduled_message_id"]
            isOneToOne: false
            referencedRelation: "scheduled_whatsapp_messages"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_messages_scheduled_message_id_fkey"
            columns: ["scheduled_message_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_open_messages"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_session_users": {
        Row: {
          "created_at": string,
          "id": string,
          "organization_id": string,
          "session_id": string,
          "updated_at": string,
          "user_id": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "id"?: string,
          "organization_id": string,
          "session_id": string,
          "updated_at"?: string,
          "user_id": string
        }
        Update: {
          "created_at"?: string,
          "id"?: string,
          "organization_id"?: string,
          "session_id"?: string,
          "updated_at"?: string,
          "user_id"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_session_users_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "whatsapp_session_users_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_sessions": {
        Row: {
          "connected_at": string | null,
          "created_at": string,
          "daily_limit": number,
          "desired_state": string,
          "display_name": string | null,
          "enabled": boolean,
          "health_reasons": (string)[],
          "health_score": number,
          "id": string,
          "last_active_at": string | null,
          "last_connected_at": string | null,
          "last_disconnected_at": string | null,
          "last_error": string | null,
          "min_gap_ms": number,
          "new_chats_after": string | null,
          "organization_id": string,
          "owner_id": string | null,
          "pairing_code": string | null,
          "pause_reason": string | null,
          "paused_until": string | null,
          "per_group_per_minute": number,
          "phone_number": string | null,
          "provider": string,
          "qr_code": string | null,
          "qr_expires_at": string | null,
          "retry_count": number,
          "status": string,
          "updated_at": string,
          "warmup_days": number,
          "warmup_started_at": string | null,
          "whatsapp_id": string | null
        }
        ComputedFields: never
        Insert: {
          "connected_at"?: string | null,
          "created_at"?: string,
          "daily_limit"?: number,
          "desired_state"?: string,
          "display_name"?: string | null,
          "enabled"?: boolean,
          "health_reasons"?: (string)[],
          "health_score"?: number,
          "id"?: string,
          "last_active_at"?: string | null,
          "last_connected_at"?: string | null,
          "last_disconnected_at"?: string | null,
          "last_error"?: string | null,
          "min_gap_ms"?: number,
          "new_chats_after"?: string | null,
          "organization_id": string,
          "owner_id"?: string | null,
          "pairing_code"?: string | null,
          "pause_reason"?: string | null,
          "paused_until"?: string | null,
          "per_group_per_minute"?: number,
          "phone_number"?: string | null,
          "provider"?: string,
          "qr_code"?: string | null,
          "qr_expires_at"?: string | null,
          "retry_count"?: number,
          "status"?: string,
          "updated_at"?: string,
          "warmup_days"?: number,
          "warmup_started_at"?: string | null,
          "whatsapp_id"?: string | null
        }
        Update: {
          "connected_at"?: string | null,
          "created_at"?: string,
          "daily_limit"?: number,
          "desired_state"?: string,
          "display_name"?: string | null,
          "enabled"?: boolean,
          "health_reasons"?: (string)[],
          "health_score"?: number,
          "id"?: string,
          "last_active_at"?: string | null,
          "last_connected_at"?: string | null,
          "last_disconnected_at"?: string | null,
          "last_error"?: string | null,
          "min_gap_ms"?: number,
          "new_chats_after"?: string | null,
          "organization_id"?: string,
          "owner_id"?: string | null,
          "pairing_code"?: string | null,
          "pause_reason"?: string | null,
          "paused_until"?: string | null,
          "per_group_per_minute"?: number,
          "phone_number"?: string | null,
          "provider"?: string,
          "qr_code"?: string | null,
          "qr_expires_at"?: string | null,
          "retry_count"?: number,
          "status"?: string,
          "updated_at"?: string,
          "warmup_days"?: number,
          "warmup_started_at"?: string | null,
          "whatsapp_id"?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_sessions_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_webhook_endpoints": {
        Row: {
          "created_at": string,
          "description": string | null,
          "enabled": boolean,
          "events": (string)[],
          "failure_count": number,
          "id": string,
          "last_delivery_at": string | null,
          "last_error": string | null,
          "organization_id": string,
          "updated_at": string,
          "url": string
        }
        ComputedFields: never
        Insert: {
          "created_at"?: string,
          "description"?: string | null,
          "enabled"?: boolean,
          "events"?: (string)[],
          "failure_count"?: number,
          "id"?: string,
          "last_delivery_at"?: string | null,
          "last_error"?: string | null,
          "organization_id": string,
          "updated_at"?: string,
          "url": string
        }
        Update: {
          "created_at"?: string,
          "description"?: string | null,
          "enabled"?: boolean,
          "events"?: (string)[],
          "failure_count"?: number,
          "id"?: string,
          "last_delivery_at"?: string | null,
          "last_error"?: string | null,
          "organization_id"?: string,
          "updated_at"?: string,
          "url"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_webhook_endpoints_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_webhook_events": {
        Row: {
          "attempts": number,
          "created_at": string,
          "dedup_key": string,
          "id": string,
          "kind": string,
          "last_error": string | null,
          "organization_id": string | null,
          "payload": NonNullable<Json>,
          "processed_at": string | null,
          "received_at": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "attempts"?: number,
          "created_at"?: string,
          "dedup_key": string,
          "id"?: string,
          "kind": string,
          "last_error"?: string | null,
          "organization_id"?: string | null,
          "payload": NonNullable<Json>,
          "processed_at"?: string | null,
          "received_at"?: string,
          "updated_at"?: string
        }
        Update: {
          "attempts"?: number,
          "created_at"?: string,
          "dedup_key"?: string,
          "id"?: string,
          "kind"?: string,
          "last_error"?: string | null,
          "organization_id"?: string | null,
          "payload"?: NonNullable<Json>,
          "processed_at"?: string | null,
          "received_at"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "whatsapp_webhook_events_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "workshop_attendees": {
        Row: {
          "attributes": NonNullable<Json>,
          "created_at": string,
          "id": string,
          "name": string | null,
          "organization_id": string,
          "phone": string,
          "status": string,
          "updated_at": string,
          "workshop_id": string
        }
        ComputedFields: never
        Insert: {
          "attributes"?: NonNullable<Json>,
          "created_at"?: string,
          "id"?: string,
          "name"?: string | null,
          "organization_id": string,
          "phone": string,
          "status"?: string,
          "updated_at"?: string,
          "workshop_id": string
        }
        Update: {
          "attributes"?: NonNullable<Json>,
          "created_at"?: string,
          "id"?: string,
          "name"?: string | null,
          "organization_id"?: string,
          "phone"?: string,
          "status"?: string,
          "updated_at"?: string,
          "workshop_id"?: string
        }
        Relationships: [
          {
            foreignKeyName: "workshop_attendees_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "workshop_attendees_organization_id_workshop_id_fkey"
            columns: ["organization_id", "workshop_id"]
            isOneToOne: false
            referencedRelation: "workshops"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "workshop_automation_config": {
        Row: {
          "auto_schedule_messages": boolean,
          "created_at": string,
          "default_workshop_time": string,
          "id": string,
          "in_doubt_policy": string,
          "log_retention_days": number,
          "message_schedule": NonNullable<Json>,
          "opt_out_words": (string)[],
          "organization_id": string,
          "pause_reason": string | null,
          "paused_until": string | null,
          "private_sessions": boolean,
          "quiet_hours": Json | null,
          "require_opt_in": boolean,
          "retention_days": number | null,
          "timezone": string,
          "unreadable_policy": string,
          "updated_at": string
        }
        ComputedFields: never
        Insert: {
          "auto_schedule_messages"?: boolean,
          "created_at"?: string,
          "default_workshop_time"?: string,
          "id"?: string,
          "in_doubt_policy"?: string,
          "log_retention_days"?: number,
          "message_schedule"?: NonNullable<Json>,
          "opt_out_words"?: (string)[],
          "organization_id": string,
          "pause_reason"?: string | null,
          "paused_until"?: string | null,
          "private_sessions"?: boolean,
          "quiet_hours"?: Json | null,
          "require_opt_in"?: boolean,
          "retention_days"?: number | null,
          "timezone"?: string,
          "unreadable_policy"?: string,
          "updated_at"?: string
        }
        Update: {
          "auto_schedule_messages"?: boolean,
          "created_at"?: string,
          "default_workshop_time"?: string,
          "id"?: string,
          "in_doubt_policy"?: string,
          "log_retention_days"?: number,
          "message_schedule"?: NonNullable<Json>,
          "opt_out_words"?: (string)[],
          "organization_id"?: string,
          "pause_reason"?: string | null,
          "paused_until"?: string | null,
          "private_sessions"?: boolean,
          "quiet_hours"?: Json | null,
          "require_opt_in"?: boolean,
          "retention_days"?: number | null,
          "timezone"?: string,
          "unreadable_policy"?: string,
          "updated_at"?: string
        }
        Relationships: [
          {
            foreignKeyName: "workshop_automation_config_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: true
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          }
        ]
      },
      "workshops": {
        Row: {
          "automation_status": Json | null,
          "created_at": string,
          "id": string,
          "organization_id": string,
          "starts_at": string,
          "timezone": string,
          "title": string,
          "updated_at": string,
          "whatsapp_group_id": string | null
        }
        ComputedFields: never
        Insert: {
          "automation_status"?: Json | null,
          "created_at"?: string,
          "id"?: string,
          "organization_id": string,
          "starts_at": string,
          "timezone"?: string,
          "title": string,
          "updated_at"?: string,
          "whatsapp_group_id"?: string | null
        }
        Update: {
          "automation_status"?: Json | null,
          "created_at"?: string,
          "id"?: string,
          "organization_id"?: string,
          "starts_at"?: string,
          "timezone"?: string,
          "title"?: string,
          "updated_at"?: string,
          "whatsapp_group_id"?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "workshops_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "workshops_whatsapp_group_id_fkey"
            columns: ["organization_id", "whatsapp_group_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_groups"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      }
    }
    Views: {
      "whatsapp_analytics": {
        Row: {
          "average_queue_seconds": number | null,
          "day": string | null,
          "delivered": number | null,
          "failed": number | null,
          "in_doubt": number | null,
          "organization_id": string,
          "p95_queue_seconds": number | null,
          "read": number | null,
          "resent": number | null,
          "response_rate": number | null,
          "sent": number | null,
          "session_id": string,
          "unreadable": number | null
        }
        ComputedFields: never
        Relationships: [
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          }
        ]
      },
      "whatsapp_open_messages": {
        Row: {
          "campaign_id": string | null,
          "contact_id": string | null,
          "created_at": string,
          "delivered_at": string | null,
          "delivered_count": number,
          "error_code": string | null,
          "error_message": string | null,
          "expires_at": string | null,
          "group_id": string | null,
          "id": string,
          "idempotency_key": string | null,
          "max_retries": number,
          "media_kind": string | null,
          "media_url": string | null,
          "mentions": (string)[] | null,
          "message_content": string,
          "message_type": string,
          "next_attempt_at": string | null,
          "organization_id": string,
          "payload": Json | null,
          "priority": number,
          "quoted_message_id": string | null,
          "read_at": string | null,
          "read_count": number,
          "recipient_name": string | null,
          "recipient_phone": string | null,
          "redacted_at": string | null,
          "resent_count": number,
          "responded_at": string | null,
          "retry_count": number,
          "scheduled_day": string | null,
          "scheduled_for": string,
          "sent_at": string | null,
          "sent_by": string | null,
          "session_id": string,
          "status": string,
          "template_id": string | null,
          "template_variables": NonNullable<Json>,
          "unreadable_count": number,
          "updated_at": string,
          "wa_message_id": string | null,
          "workshop_id": string | null
        }
        ComputedFields: never
        Relationships: [
          {
            foreignKeyName: "message_campaign_fkey"
            columns: ["organization_id", "campaign_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_campaigns"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "message_contact_fkey"
            columns: ["organization_id", "contact_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_contacts"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_fkey"
            columns: ["organization_id"]
            isOneToOne: false
            referencedRelation: "organizations"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_session_id_fkey"
            columns: ["organization_id", "session_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_sessions"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_session_id_gro_fkey"
            columns: ["organization_id", "session_id", "group_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_groups"
            referencedColumns: ["organization_id", "session_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_organization_id_workshop_id_fkey"
            columns: ["organization_id", "workshop_id"]
            isOneToOne: false
            referencedRelation: "workshops"
            referencedColumns: ["organization_id", "id"]
          },
          {
            foreignKeyName: "scheduled_whatsapp_messages_template_id_fkey"
            columns: ["template_id"]
            isOneToOne: false
            referencedRelation: "whatsapp_message_templates"
            referencedColumns: ["id"]
          }
        ]
      },
      "whatsapp_queue_overview": {
        Row: {
          "accounts": number | null,
          "accounts_connected": number | null,
          "due": number | null,
          "in_doubt": number | null,
          "oldest_due_at": string | null,
          "organization_id": string | null,
          "pending": number | null,
          "sending": number | null,
          "stuck": number | null
        }
        ComputedFields: never
        Relationships: [
        ]
      },
      "whatsapp_session_overview": {
        Row: {
          "connected_at": string | null,
          "daily_limit": number | null,
          "desired_state": string | null,
          "display_name": string | null,
          "enabled": boolean | null,
          "health_reasons": (string)[] | null,
          "health_score": number | null,
          "id": string | null,
          "last_active_at": string | null,
          "last_connected_at": string | null,
          "last_disconnected_at": string | null,
          "last_error": string | null,
          "new_chats_after": string | null,
          "organization_id": string | null,
          "owner_id": string | null,
          "pause_reason": string | null,
          "paused_until": string | null,
          "phone_number": string | null,
          "provider": string | null,
          "status": string | null,
          "warmup_started_at": string | null
        }
        ComputedFields: never
        Relationships: [
        ]
      }
    }
    Functions: {
      "whatsapp_api_caller": { Args: { "p_organization"?: string }; Returns: Json
      },
      "whatsapp_api_due": { Args: { "p_organization"?: string }; Returns: number
      },
      "whatsapp_api_figures": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_api_message": { Args: { "p_message": string, "p_organization": string }; Returns: Json
      },
      "whatsapp_api_take": { Args: { "p_limit": number, "p_organization": string, "p_wanted": number }; Returns: Json
      },
      "whatsapp_claim": { Args: { "p_limit"?: number, "p_run": string }; Returns: Json
      },
      "whatsapp_claims_adopt": { Args: { "p_epoch": number, "p_run": string, "p_session": string }; Returns: Json
      },
      "whatsapp_claims_extend": { Args: { "p_messages": (string)[], "p_run": string }; Returns: Json
      },
      "whatsapp_claims_return": { Args: { "p_in_hand": (string)[], "p_run": string }; Returns: number
      },
      "whatsapp_command_finish": { Args: { "p_command": string, "p_error": string, "p_result": Json, "p_run": string }; Returns: undefined
      },
      "whatsapp_commands_take": { Args: { "p_run": string }; Returns: Json
      },
      "whatsapp_credentials_forget": { Args: { "p_epoch": number, "p_run": string, "p_session": string }; Returns: undefined
      },
      "whatsapp_credentials_keys": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_credentials_list": { Args: { "p_after": string, "p_limit": number, "p_not_under": string }; Returns: Json
      },
      "whatsapp_credentials_read": { Args: { "p_epoch": number, "p_run": string, "p_session": string }; Returns: Json
      },
      "whatsapp_credentials_rewrap": { Args: { "p_generation": number, "p_head": string, "p_key_id": string, "p_session": string, "p_was": string }; Returns: boolean
      },
      "whatsapp_credentials_secret": { Args: { "p_epoch": number, "p_run": string, "p_session": string }; Returns: string
      },
      "whatsapp_credentials_write": { Args: { "p_clean": boolean, "p_epoch": number, "p_generation": number, "p_incarnation": string, "p_key_id": string, "p_run": string, "p_sealed": string, "p_session": string }; Returns: undefined
      },
      "whatsapp_direct_send_take": { Args: { "p_limit": number, "p_organization": string }; Returns: number
      },
      "whatsapp_doctor": { Args: { "p_old_seconds"?: number }; Returns: Json
      },
      "whatsapp_doctor_canary": { Args: Record<PropertyKey, never>; Returns: boolean
      },
      "whatsapp_erase_contact": { Args: { "p_organization": string, "p_phone": string }; Returns: Json
      },
      "whatsapp_explain": { Args: { "p_error": string }; Returns: string
      },
      "whatsapp_fallback_due": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_fallback_report": { Args: { "p_problem": string }; Returns: undefined
      },
      "whatsapp_group_sync": { Args: { "p_epoch": number, "p_group": Json, "p_run": string, "p_session": string }; Returns: Json
      },
      "whatsapp_groups_sync": { Args: { "p_epoch": number, "p_groups": Json, "p_run": string, "p_session": string }; Returns: number
      },
      "whatsapp_heartbeat": { Args: { "p_capacity": number, "p_lease_seconds"?: number, "p_run": string }; Returns: Json
      },
      "whatsapp_housekeeping": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_lease_release": { Args: { "p_epoch": number, "p_run": string, "p_session": string }; Returns: undefined
      },
      "whatsapp_operator_audit": { Args: { "p_after"?: string, "p_event"?: string, "p_limit"?: number, "p_organization"?: string, "p_session"?: string, "p_since"?: string }; Returns: Json
      },
      "whatsapp_operator_message": { Args: { "p_message": string }; Returns: Json
      },
      "whatsapp_operator_overview": { Args: { "p_organization"?: string }; Returns: Json
      },
      "whatsapp_operator_queue": { Args: { "p_limit"?: number, "p_organization"?: string, "p_session"?: string, "p_status": string }; Returns: Json
      },
      "whatsapp_operator_send": { Args: { "p_group": string, "p_key": string, "p_operator": string, "p_phone": string, "p_session": string, "p_text": string }; Returns: Json
      },
      "whatsapp_operator_session": { Args: { "p_change": Json, "p_operator": string, "p_session": string }; Returns: Json
      },
      "whatsapp_operator_settle": { Args: { "p_message": string, "p_operator": string, "p_status": string }; Returns: Json
      },
      "whatsapp_queue_recipients": { Args: { "p_event": string, "p_key"?: string, "p_recipients": Json, "p_scheduled_for"?: string, "p_template": string, "p_variables"?: Json }; Returns: Json
      },
      "whatsapp_realtime_canary": { Args: { "p_run": string }; Returns: number
      },
      "whatsapp_reap": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_receipts": { Args: { "p_receipts": Json, "p_run": string }; Returns: undefined
      },
      "whatsapp_session_alert": { Args: { "p_details"?: Json, "p_epoch": number, "p_kind": string, "p_message"?: string, "p_run": string, "p_session": string }; Returns: undefined
      },
      "whatsapp_session_attach": { Args: { "p_epoch": number, "p_incarnation": string, "p_run": string, "p_session": string }; Returns: undefined
      },
      "whatsapp_session_cleanup": { Args: Record<PropertyKey, never>; Returns: Json
      },
      "whatsapp_session_report": { Args: { "p_epoch": number, "p_report": Json, "p_run": string, "p_session": string }; Returns: boolean
      },
      "whatsapp_sessions_deleted": { Args: { "p_run": string, "p_sessions": (string)[] }; Returns: Json
      },
      "whatsapp_settle": { Args: { "p_results": Json, "p_run": string }; Returns: Json
      },
      "whatsapp_settle_and_claim": { Args: { "p_limit": number, "p_results": Json, "p_run": string }; Returns: Json
      },
      "whatsapp_settle_and_claim_apart": { Args: { "p_limit": number, "p_results": Json, "p_run": string }; Returns: Json
      },
      "whatsapp_stats": { Args: { "p_organization": string }; Returns: Json
      },
      "whatsapp_template": { Args: { "p_language"?: string, "p_name": string, "p_organization": string }; Returns: string
      },
      "whatsapp_worker_start": { Args: { "p_run": string, "p_version": string, "p_worker": string }; Returns: Json
      },
      "why_not_sent": { Args: { "p_message": string }; Returns: {
          "explanation": string,
          "rule": string,
          "until": string
        }[]
      }
    }
    Enums: {
      [_ in never]: never
    }
    CompositeTypes: {
      [_ in never]: never
    }
  }
}
type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>
type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]
export type Tables<
  DefaultSchemaTableNameOrOptions extends
  | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
  ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
    DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
  : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
  DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
  Row: infer R
}
? R
: never
: DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
  Row: infer R
}
? R
: never
: never
export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
  | keyof DefaultSchema["Tables"]
  | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
  ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
  : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
  Insert: infer I
}
? I
: never
: DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
  Insert: infer I
}
? I
: never
: never
export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
  | keyof DefaultSchema["Tables"]
  | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
  ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
  : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
  Update: infer U
}
? U
: never
: DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
  Update: infer U
}
? U
: never
: never
export type Enums<
  DefaultSchemaEnumNameOrOptions extends
  | keyof DefaultSchema["Enums"]
  | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
  ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
  : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
: DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
: never
export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
  | keyof DefaultSchema["CompositeTypes"]
  | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
  ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
  : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
: PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
: never
export const Constants = {
  "public": {
    Enums: {
    }
  }
} as const
