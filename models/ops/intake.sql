{{ config(materialized='view') }}

{% for source in declared_sources() %}
select
    '{{ source.name }}' as source,
    listed.*
from ({{ listed_files(source.name) }}) as listed
{{ 'union all' if not loop.last }}
{% endfor %}
