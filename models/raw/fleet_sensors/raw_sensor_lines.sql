{{
    config(
        materialized='landed',
        alias='sensor_lines',
        tblproperties={'delta.dataSkippingStatsColumns': 'path', 'strata.reader': '2'},
        meta={
            'source': 'fleet_sensors',
            'changes': 'changed_landed_files',
            'scope_column': 'path',
            'intake': 'sensor_intake',
            'files': 'sensor_files',
            'columns': ['line'],
        },
    )
}}

-- depends_on: {{ ref('sensor_intake') }}

with landed as (
    {{ read_json_lines(landed_rows(this)) }}
)

select
    landed_values,
    line,
    path,
    _landed_on as landed_on,
    file_modified_at,
    current_timestamp() as loaded_at
from landed
