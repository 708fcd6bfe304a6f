{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record(
        'tables array<struct<schema_name: string, table_name: string, kind: string, version: bigint, mark: string, definition: string>>'
    ) }}
),

versions as (
    select
        run_id,
        explode(tables) as of_table
    from recorded
)

select
    run_id,
    of_table.*
from versions
