{#-
  Put the history that rebuilt_history() derives from raw in the place of what is there, in one commit, when the gates let
  every day of it in; else refuse, with everything as it was. `sql` gives the judged rows of every landed day.
-#}
{% macro _rebuild_history(source, relation, state, sql) %}
    {%- set own = history_columns(source, all=true) -%}
    {%- set days = _landed_days(source, state, since='') -%}
    {% do _check_held_days(source, {'through': ''}, days, '0001-01-01') %}
    {%- set rebuilt_days = days | selectattr('content') | rejectattr('known', 'none') | list
        + days | selectattr('content') | selectattr('known', 'none') | selectattr('is_listed') | list -%}
    {%- set rebuilt_days = rebuilt_days | sort(attribute='day') -%}
    {% do _name_withdrawn_days(source, days | selectattr('day') | selectattr('known', 'none') | rejectattr('is_listed') | map(attribute='day') | list) %}
    {%- set rebuilt = 'rebuilt__' ~ relation.schema ~ '__' ~ relation.identifier -%}
    {% do run_query('drop view if exists ' ~ rebuilt) %}
    {% call statement('rebuild') -%}
        cache table {{ rebuilt }} as
        select * from ({{ _derived_history(source, sql, "select date(day) as landed_on from (select explode(from_json(" ~ _text_literal(tojson(rebuilt_days | map(attribute='day') | list)) ~ ", 'array<string>')) as day)") }})
    {%- endcall %}
    {%- set new_days = {} -%}
    {%- set figures_by_day = _rebuilt_figures(source, rebuilt) -%}
    {%- set quarantined = _quarantined_row_counts(source, rebuilt_days, sql) -%}
    {%- set current = namespace(count=0) -%}
    {%- set names = [] -%}
    {%- for day in rebuilt_days -%}
        {%- set counts = figures_by_day.get(day.day, {'opened': 0, 'closed': 0, 'removed': 0}) -%}
        {%- set figures = _day_figures(day.row_count, quarantined.get(day.day, 0), current.count, counts.removed) -%}
        {%- set refusal = _gate(source, day, figures, day.known) -%}
        {%- if refusal is not none -%}
            {% do run_query('drop view if exists ' ~ rebuilt) %}
            {% do exceptions.raise_compiler_error(refusal) %}
        {%- endif -%}
        {% do new_days.update({day.day: _taken(day, figures, day.known)}) %}
        {%- set current.count = current.count + counts.opened - counts.closed -%}
        {%- for name in day.other_columns if name not in names -%}
            {% do names.append(name) %}
        {%- endfor -%}
    {%- endfor -%}
    {%- set columns = _named_columns(names, relation, own) -%}
    {#- A view can say of its columns what a query cannot: the table gets its comments (see _add_columns) in the same commit. -#}
    {%- set commented = 'commented__' ~ relation.schema ~ '__' ~ relation.identifier -%}
    {% call statement('comment_columns') -%}
        create or replace temporary view {{ commented }} (
            `{{ own | join('`, `') }}`
            {%- for column in columns %},
            `{{ column.column_name }}` comment {{ _text_literal('landed as ' ~ column.name) }}
            {%- endfor %}
        ) as
        select
            `{{ own | join('`, `') }}`
            {%- for column in columns %},
            {{ _other_value(column) }} as `{{ column.column_name }}`
            {%- endfor %}
        from {{ rebuilt }}
    {%- endcall %}
    {% do _begin_generation(state, new_days) %}
    {% do state.update({'through': rebuilt_days[-1].day if rebuilt_days else '', 'replay': ''}) %}
    {% do _create_delta_table(model, relation, 'select * from ' ~ commented, _history_properties(state), replace=true) %}
    {% do run_query('drop view if exists ' ~ commented) %}
    {% do run_query('drop view if exists ' ~ rebuilt) %}
    {{ log('The history of ' ~ source.name ~ ', ' ~ _counted(rebuilt_days | length, 'day') ~ ', is rebuilt: ' ~ current.count ~ ' current.', info=True) }}
{% endmacro %}


{#- Of a history in the relation `rebuilt`, by day: how many versions it opens, closes and removes. -#}
{% macro _rebuilt_figures(source, rebuilt) %}
    {%- set sql -%}
        select cast(landed_on as string), sum(opened), sum(closed), sum(removed)
        from (
            select inline(array(
                struct(recorded_on as landed_on, 1 as opened, 0 as closed, 0 as removed),
                struct(closed_on as landed_on, 0 as opened, 1 as closed, is_removed as removed)
            ))
            from (
                select
                    recorded_on,
                    closed_on,
                    if(
                        lead(recorded_on) over (partition by {{ source.key }} order by version) <=> closed_on, 0, 1
                    ) as is_removed
                from {{ rebuilt }}
            )
        )
        where landed_on is not null
        group by landed_on
    {%- endset -%}
    {%- set figures = {} -%}
    {%- for row in run_query(sql) -%}
        {% do figures.update({row[0]: {'opened': row[1] | int, 'closed': row[2] | int, 'removed': row[3] | int}}) %}
    {%- endfor -%}
    {{ return(figures) }}
{% endmacro %}


{#- By day, how many rows of it are quarantined, for those days that the history did not take with the same content. -#}
{% macro _quarantined_row_counts(source, days, sql) %}
    {%- set new_days = [] -%}
    {%- for day in days if day.known is none or day.known[0] != day.content -%}
        {% do new_days.append(day.day) %}
    {%- endfor -%}
    {%- set counts = {} -%}
    {%- if new_days -%}
        {%- set count_rows -%}
            select cast(landed_on as string), sum(row_count)
            from ({{ _daily_rows(source, sql) }})
            where is_quarantined and ({{ _scope_predicate({'days': new_days}, 'landed_on') }})
            group by landed_on
        {%- endset -%}
        {%- for row in run_query(count_rows) -%}
            {% do counts.update({row[0]: row[1] | int}) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(counts) }}
{% endmacro %}
