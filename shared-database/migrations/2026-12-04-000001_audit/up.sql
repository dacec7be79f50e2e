-- What somebody changed, as the ledger writes it, in form 1: who, when, in whose organization, what, to which object.
CREATE FUNCTION ledger_audit(actor jsonb, of_organization uuid, action text, object_id uuid) RETURNS jsonb
    LANGUAGE sql VOLATILE RETURN
    jsonb_build_object('form', 1, 'kind', 'audit', 'at', ledger_time(clock_timestamp()), 'actor', actor,
        'organization_id', of_organization, 'action', action, 'object_id', object_id);
