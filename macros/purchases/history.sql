{#-
  The history's own record of what it holds lies in its table properties, so that a restore of the table, or a swap,
  brings the record along:
    strata.through: the last landed day that it holds; what is recorded later was left by a run that was killed
    strata.days: for each day taken, what was taken: content, share of the current purchases removed, share of the rows
      quarantined. A day that a variable has let in is thereby known as long as its content is the same
    strata.replay: the version of the table before a replay that has not come to its end
-#}
{% macro history_state(relation) %}
    {%- set properties = {} if relation is none else table_properties(relation) -%}
    {{ return({
        'through': properties.get('strata.through') or '',
        'days': fromjson(properties.get('strata.days') or '{}'),
        'replay': properties.get('strata.replay') or '',
    }) }}
{% endmacro %}


{% macro set_history_state(relation, state) %}
    {% do set_table_properties(relation, history_properties(state)) %}
{% endmacro %}


{% macro history_properties(state) %}
    {{ return({
        'strata.through': state.through, 'strata.days': tojson(state.days, sort_keys=true), 'strata.replay': state.replay,
    }) }}
{% endmacro %}


{#- Whether the history holds a day. -#}
{% macro holds(state, day) %}
    {{ return(day in state.days and day <= state.through) }}
{% endmacro %}


{#-
  A query for the landed days that the history holds, `landed_on`; while it is rebuilt, those that it will hold.
-#}
{% macro history_days() -%}
    {%- set days = [] -%}
    {%- if execute -%}
        {%- set state = history_state(built_relation('purchases')) -%}
        {%- if env_var('STRATA_HISTORY', '') == 'rebuild' -%}
            {% do days.extend(
                days_to_rebuild(state, landed_days(built_node('purchases').config.meta)) | map(attribute='day')
            ) %}
        {%- else -%}
            {%- for day in state.days if holds(state, day) -%}
                {% do days.append(day) %}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {%- if days -%}
    select landed_on from values (date'{{ days | sort | join("'), (date'") }}') as days (landed_on)
    {%- else -%}
    select cast(null as date) as landed_on where false
    {%- endif -%}
{%- endmacro %}


{#- The history's columns without a row. -#}
{% macro empty_history() -%}
    select
        cast(null as bigint) as purchase_id,
        cast(null as int) as product_id,
        cast(null as int) as user_id,
        cast(null as date) as purchased_on,
        cast(null as int) as year,
        cast(null as int) as month,
        cast(null as int) as day,
        cast(null as int) as version,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to,
        cast(null as date) as recorded_on,
        cast(null as date) as closed_on
    where false
{%- endmacro %}
