{{ config(materialized='ephemeral') }}

{% set columns = landed_columns('raw_fleet_sensors') %}

with fleet_sensors as (
    select * from {{ ref('raw_fleet_sensors') }}
),

landed_values as (
    {% if columns -%}
    select
        truck_id,
        recorded_at,
        path,
        landed_on,
        loaded_at,
        true as has_column,
        explode(map_filter(
            map_from_arrays(
                array({% for column in columns %}'{{ column.column_name }}'{{ ', ' if not loop.last }}{% endfor %}),
                array({% for column in columns %}`{{ column.column_name }}`{{ ', ' if not loop.last }}{% endfor %})
            ),
            (name, landed_text) -> landed_text is not null
        )) as (name, landed_text)
    from fleet_sensors
    union all
    {% endif -%}
    select
        truck_id,
        recorded_at,
        path,
        landed_on,
        loaded_at,
        false as has_column,
        explode(other_values) as (name, landed_text)
    from fleet_sensors
),

sensor_values as (
    select
        truck_id,
        recorded_at,
        case when has_column then name end as sensor,
        case when not has_column then name end as landed_name,
        landed_text,
        -- -0.0 is 0.
        case when has_column and {{ json_type('landed_text') }} = 'number' then cast(landed_text as double) + 0.0 end as value,
        path,
        landed_on,
        loaded_at
    from landed_values
)

select * from sensor_values
