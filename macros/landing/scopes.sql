{#- The files to judge: those that this run loaded, those refused before, and with --full-refresh all that raw holds. -#}
{% macro files_to_judge(relation, known_through, through) %}
    {%- if flags.FULL_REFRESH -%}
        {{ return({'everything': true}) }}
    {%- endif -%}
    {%- set changes = file_changes(ref('event_intake'), relation) -%}
    {{ return({'values': changes | map(attribute='path') | list} if changes else none) }}
{% endmacro %}


{#- The files whose state has changed since the watermark. -#}
{% macro changed_files(relation, known_through, through) %}
    {%- set paths = run_query(
        'select path from ' ~ built_relation('event_files') ~ changed_since(known_through, through) ~ ' order by path'
    ).columns[0].values() | list -%}
    {{ return({'values': paths} if paths else none) }}
{% endmacro %}


{#- The days, as ranges, that files touched whose state has changed since the watermark. -#}
{% macro changed_days(relation, known_through, through) %}
    {%- set sql -%}
        with days as (
            select distinct explode(touched_days) as day
            from {{ built_relation('event_files') }}
            {{- changed_since(known_through, through) }}
        ),

        -- Days in a row share what is left when their rank is taken off.
        grouped as (
            select day, date_sub(day, row_number() over (order by day)) as stretch
            from days
        )

        select cast(min(day) as string) as first_day, cast(date_add(max(day), 1) as string) as end_day
        from grouped
        group by stretch
        order by first_day
    {%- endset -%}
    {%- set ranges = [] -%}
    {%- for row in run_query(sql) -%}
        {% do ranges.append([row[0], row[1]]) %}
    {%- endfor -%}
    {{ return({'ranges': ranges} if ranges else none) }}
{% endmacro %}


{#-
  The changed days, and the days between the first or last window of the table and that of the changed minutes: there
  quiet windows begin or cease to be.
-#}
{% macro changed_days_and_edges(relation, known_through, through) %}
    {%- set scope = changed_days(relation, known_through, through) -%}
    {%- if scope is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set sql -%}
        with windows as (
            select min(window_start) as first_window, max(window_start) as last_window from {{ relation }}
        ),

        minutes as (
            select min(window_start) as first_window, max(window_start) as last_window
            from {{ built_relation('actions_per_minute') }}
        )

        select
            cast(date(least(windows.first_window, minutes.first_window)) as string),
            cast(date_add(date(greatest(windows.first_window, minutes.first_window)), 1) as string),
            cast(date(least(windows.last_window, minutes.last_window)) as string),
            cast(date_add(date(greatest(windows.last_window, minutes.last_window)), 1) as string),
            windows.first_window <> minutes.first_window,
            windows.last_window <> minutes.last_window
        from windows
        cross join minutes
    {%- endset -%}
    {%- set row = run_query(sql)[0] -%}
    {%- if row[4] -%}
        {% do scope.ranges.append([row[0], row[1]]) %}
    {%- endif -%}
    {%- if row[5] -%}
        {% do scope.ranges.append([row[2], row[3]]) %}
    {%- endif -%}
    {{ return(scope) }}
{% endmacro %}


{#- A where clause: changed after one watermark (none: ever), not after another. -#}
{% macro changed_since(known_through, through) -%}
    {{ ' ' }}where judged_at <= timestamp'{{ through }}'
    {%- if known_through is not none %} and judged_at > timestamp'{{ known_through }}'{% endif %}
{%- endmacro %}
