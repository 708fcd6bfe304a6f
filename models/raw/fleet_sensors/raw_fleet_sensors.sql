{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='fleet_sensors',
        meta={
            'scope': 'changed_files',
            'scope_column': 'path',
            'follows': 'sensor_keys',
            'evolves': 'add_sensor_columns',
        },
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

-- depends_on: {{ ref('sensor_keys') }}
{% set columns = sensor_columns() %}

with lines as (
    select * from {{ ref('valid_sensor_lines') }}
    where {{ in_scope('path') }}
),

-- null is no value.
without_nulls as (
    select
        * except (landed_values),
        map_filter(
            landed_values,
            (name, landed_text) -> name not in {{ text_list(line_keys()) }} and landed_text <> 'null'
        ) as landed_values
    from lines
),

with_sensors as (
    select
        *,
        {{ values_of_sensors(columns) }} as sensors
    from without_nulls
),

fleet_sensors as (
    select
        with_sensors.truck_id,
        with_sensors.recorded_at,
        size(with_sensors.landed_values) as value_count,
        map_filter(
            with_sensors.landed_values,
            (name, landed_text) -> name not in {{ text_list(line_keys() + columns | map(attribute='name') | list) }}
        ) as other_values,
        with_sensors.path,
        with_sensors.landed_on,
        with_sensors.file_modified_at,
        with_sensors.loaded_at,
        with_sensors.sensors.*
    from with_sensors
)

select * from fleet_sensors
