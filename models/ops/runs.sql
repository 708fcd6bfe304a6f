{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record(
        'command string, revision string, target string, variables map<string, string>, user_name string, started_at timestamp, '
        ~ 'ended_at timestamp, message string, sources array<string>'
    ) }}
)

select
    run_id,
    command,
    revision,
    target,
    variables,
    user_name,
    started_at,
    ended_at,
    status,
    message,
    sources
from recorded
