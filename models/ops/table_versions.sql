{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record(
        'tables array<struct<schema_name: string, table_name: string, kind: string, version: bigint, mark: string, definition: string>>'
    ) }}
)

select
    run_id,
    inline(tables) as (schema_name, table_name, kind, version, mark, definition)
from recorded
