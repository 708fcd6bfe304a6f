{{ config(materialized='ephemeral') }}

with landed as (
    select * from {{ ref('raw_sensor_lines') }}
),

read as (
    select
        *,
        {{ json_text("landed_values['truck_id']") }} as truck_id,
        {{ json_type("landed_values['truck_id']") }} as truck_type,
        {{ json_text("landed_values['recorded_at']") }} as time
    from landed
),

parsed as (
    select
        *,
        {{ landed_time('time') }} as recorded_at
    from read
),

with_reasons as (
    select
        *,
        if(
            landed_values is null,
            array('line_malformed'),
            array_compact(array(
                case when nullif(trim(truck_id), '') is null then 'truck_missing' end,
                case
                    when
                        truck_type not in ('string', 'number')
                        -- A number that only a double holds (over 38 digits, an exponent) is not told from its like.
                        or (truck_type = 'number' and truck_id not rlike '^-?[0-9]+([.][0-9]*[1-9])?\\z')
                        then 'truck_malformed'
                end,
                {{ time_reasons('time', 'recorded_at') }}
            ))
        ) as reasons
    from parsed
),

judged_sensor_lines as (
    select
        truck_id,
        recorded_at,
        landed_values,
        line,
        path,
        landed_on,
        file_modified_at,
        loaded_at,
        size(reasons) = 0 as is_valid,
        reasons
    from with_reasons
)

select * from judged_sensor_lines
