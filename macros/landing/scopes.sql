{#- The files to judge: those that were loaded, those refused before, and with --full-refresh all that raw holds. -#}
{% macro files_to_judge(relation, known_through, through) %}
    {%- set raw_node = built_node(config.get('meta').raw) -%}
    {% do note_restore(relation) %}
    {%- set is_as_listed = is_raw_as_listed(raw_node, built_relation(raw_node.name), relation) -%}
    {%- set changes = file_changes(raw_node, relation, is_as_listed) -%}
    {% do check_raw_is_loaded(changes | rejectattr('change', 'equalto', 'judge') | list | length > 0) %}
    {%- if flags.FULL_REFRESH -%}
        {{ return({'everything': true}) }}
    {%- endif -%}
    {{ return({'values': changes | map(attribute='path') | list} if changes else none) }}
{% endmacro %}


{#- The relation of the file states that a model follows, by whatever models in between. -#}
{% macro followed_files() %}
    {%- set followed = namespace(name=config.get('meta').follows) -%}
    {%- for _ in range(100) if built_node(followed.name).config.meta.get('follows') -%}
        {%- set followed.name = built_node(followed.name).config.meta.follows -%}
    {%- endfor -%}
    {{ return(built_relation(followed.name)) }}
{% endmacro %}


{#-
  Note at a table of file states, in the property strata.restored_at, that somebody restored it: which days its files
  touched since is not known any more, so that what follows it is made anew (see is_restored_since).
-#}
{% macro note_restore(relation) %}
    {#- The newest versions are not this project's own, after a restore and where somebody tidied up since. -#}
    {%- set newest = namespace(is_own=false) -%}
    {%- for row in run_query('describe history ' ~ relation ~ ' limit 20') -%}
        {%- set newest.is_own = newest.is_own or row['operation'] in ('WRITE', 'SET TBLPROPERTIES') -%}
        {%- if row['operation'] == 'RESTORE' and not newest.is_own -%}
            {% do set_table_properties(relation, {'strata.restored_at': run_query('select cast(now() as string)')[0][0]}) %}
            {%- set newest.is_own = true -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Whether the file states that a model follows were restored after it took them up. -#}
{% macro is_restored_since(known_through) %}
    {{ return(
        known_through is not none and (table_property(followed_files(), 'strata.restored_at') or '') > known_through
    ) }}
{% endmacro %}


{#- The files whose state has changed since the watermark. -#}
{% macro changed_files(relation, known_through, through) %}
    {%- if is_restored_since(known_through) -%}
        {{ return({'everything': true}) }}
    {%- endif -%}
    {%- set paths = run_query(
        'select path from ' ~ followed_files() ~ changed_since(known_through, through) ~ ' order by path'
    ).columns[0].values() | list -%}
    {{ return({'values': paths} if paths else none) }}
{% endmacro %}


{#- The days, as ranges, that files touched whose state has changed since the watermark. -#}
{% macro changed_days(relation, known_through, through) %}
    {%- if is_restored_since(known_through) -%}
        {{ return({'everything': true}) }}
    {%- endif -%}
    {%- set sql -%}
        with days as (
            select distinct explode(touched_days) as day
            from {{ followed_files() }}
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
  For a table with rows of files, where `recorded_at` is null, and rows of times: the files whose state has changed, and
  the days that they touch.
-#}
{% macro changed_files_and_days(relation, known_through, through) %}
    {%- set files = changed_files(relation, known_through, through) -%}
    {%- set days = changed_days(relation, known_through, through) or {'ranges': []} -%}
    {{ return({'columns': {'path': files, 'recorded_at': days}} if files else none) }}
{% endmacro %}


{#-
  The changed days, and the days between the first or last window of the table and that of the changed minutes: there
  quiet windows begin or cease to be.
-#}
{% macro changed_days_and_edges(relation, known_through, through) %}
    {%- set scope = changed_days(relation, known_through, through) -%}
    {%- if scope is none or 'everything' in scope -%}
        {{ return(scope) }}
    {%- endif -%}
    {%- set sql -%}
        with windows as (
            select min(window_start) as first_window, max(window_start) as last_window from {{ relation }}
        ),

        minutes as (
            select min(window_start) as first_window, max(window_start) as last_window
            from {{ built_relation(config.get('meta').follows) }}
        ),

        -- Where one of the two is empty, all the windows of the other begin or cease to be.
        edges as (
            select
                coalesce(windows.first_window, minutes.last_window) as old_first,
                coalesce(windows.last_window, minutes.first_window) as old_last,
                coalesce(minutes.first_window, windows.last_window) as new_first,
                coalesce(minutes.last_window, windows.first_window) as new_last
            from windows
            cross join minutes
        )

        select
            cast(date(least(old_first, new_first)) as string),
            cast(date_add(date(greatest(old_first, new_first)), 1) as string),
            cast(date(least(old_last, new_last)) as string),
            cast(date_add(date(greatest(old_last, new_last)), 1) as string),
            old_first <> new_first,
            old_last <> new_last
        from edges
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
    {{ ' ' }}where changed_at <= timestamp'{{ through }}'
    {%- if known_through is not none %} and changed_at > timestamp'{{ known_through }}'{% endif %}
{%- endmacro %}


{#- The landed days whose delivery has changed since the watermark. -#}
{% macro changed_landed_days(relation, known_through, through) %}
    {%- set days = run_query(
        'select cast(landed_on as string) from ' ~ followed_files() ~ changed_since(known_through, through)
        ~ ' order by landed_on'
    ).columns[0].values() | list -%}
    {{ return({'days': days} if days else none) }}
{% endmacro %}
