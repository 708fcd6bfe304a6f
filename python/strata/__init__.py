"""What the Strata dbt project needs and dbt cannot do: the lake's lock and session, landing scans, set-up, samples."""
