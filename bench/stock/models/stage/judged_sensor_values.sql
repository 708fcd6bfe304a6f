{{ config(materialized='ephemeral') }}

with lines as (
    select
        line,
        path,
        landed_on,
        try_cast(get_json_object(line, '$.recorded_at') as timestamp) as recorded_at,
        from_json(line, 'map<string, string>', map('mode', 'PERMISSIVE')) as values
    from {{ ref('raw_fleet_sensors') }}
),

sent as (
    select
        values['truck_id'] as truck_id,
        recorded_at,
        path,
        landed_on,
        line,
        explode_outer(map_filter(values, (name, value) -> name not in ('truck_id', 'recorded_at'))) as (sensor, landed_value)
    from lines
)

select
    *,
    try_cast(landed_value as double) as value,
    case
        when truck_id is null or recorded_at is null then 'line_malformed'
        when try_cast(landed_value as double) is null then 'value_malformed'
    end as reason
from sent
