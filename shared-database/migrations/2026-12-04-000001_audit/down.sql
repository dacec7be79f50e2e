DROP FUNCTION ledger_audit;
