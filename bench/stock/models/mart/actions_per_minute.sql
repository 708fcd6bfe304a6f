{{ config(materialized='incremental', incremental_strategy='merge', unique_key='minute_start') }}

with events as (
    select *, date_trunc('minute', event_at) as minute_start from {{ ref('stage_events') }}
)

select
    minute_start,
    {{ window_start('minute_start') }} as window_start,
    count_if(action = 'Open') as open_count,
    count_if(action = 'Close') as close_count
from events
{% if is_incremental() %}
-- late events come within three days
where minute_start >= (select coalesce(max(minute_start), timestamp'0001-01-01') - interval 3 days from {{ this }})
{% endif %}
group by 1, 2
