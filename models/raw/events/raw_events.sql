{{
    config(
        materialized='landed',
        alias='events',
        tblproperties={'delta.dataSkippingStatsColumns': 'path'},
        meta={
            'source': 'events',
            'changes': 'changed_landed_files',
            'scope_column': 'path',
            'intake': 'event_intake',
            'files': 'event_files',
            'columns': ['time', 'action'],
        },
    )
}}

-- depends_on: {{ ref('event_intake') }}

select
    time,
    action,
    other_columns,
    malformed_line,
    path,
    file_modified_at,
    current_timestamp() as loaded_at
from {{ landed_rows(this) }}
