//! What only the databases of tests have: a table of every sync that has ever been committed, beside the reach of our
//! own statements. So a checker knows also of those that went without a trace.

/// SQL that makes a migrated database remember its syncs.
pub const REMEMBER_SYNCS: &str = "
    CREATE SCHEMA witness;
    CREATE TABLE witness.sync (id uuid PRIMARY KEY);
    CREATE FUNCTION witness.see() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO witness.sync SELECT id FROM created ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$;
    CREATE TRIGGER see AFTER INSERT ON sync REFERENCING NEW TABLE AS created
        FOR EACH STATEMENT EXECUTE FUNCTION witness.see();
";
