{#- Replace in `relation` what `scope` covers by the rows of `sql`, in one commit. -#}
{% macro replace_where(relation, scope, column, sql) -%}
    insert into {{ relation }} replace where {{ scope_predicate(scope, column) }}
    {{ fill_in_scope(scope, sql) }}
{%- endmacro %}


{#- A place in a model's body that the incremental materialization fills with the scope's condition on `column`. -#}
{% macro in_scope(column) -%}
    /* in_scope: {{ column }} */ true
{%- endmacro %}


{% macro fill_in_scope(scope, sql) -%}
    {%- set filled = namespace(sql=sql) -%}
    {%- for column in modules.re.findall('/\\* in_scope: (.+?) \\*/ true', sql) | unique -%}
        {%- set filled.sql = filled.sql | replace(in_scope(column), '(' ~ scope_predicate(scope, column) ~ ')') -%}
    {%- endfor -%}
    {{- filled.sql -}}
{%- endmacro %}


{#-
  A scope as a condition on a column. A scope has `values`, a list of texts, or `ranges`, a list of pairs of timestamps
  as text, half-open, or `days`, a list of dates as text (without a column: of a table laid out by year, month and day),
  or is `everything` (the column is never null). One about several columns has `columns`, a scope by the name of each: the
  rows are those in any of them.
-#}
{% macro scope_predicate(scope, column) -%}
    {%- if 'columns' in scope -%}
        {%- for name, part in scope['columns'].items() if column in (none, name) -%}
            ({{ scope_predicate(part, name) }}){{ ' or ' if not loop.last }}
        {%- endfor -%}
    {%- elif 'everything' in scope -%}
        {#- Spark plans a bare `true` as another statement, and fails on it. -#}
        {{ column }} is not null
    {%- elif 'days' in scope -%}
        {%- if column -%}
            {{ column }} in (date'{{ scope['days'] | join("', date'") }}')
        {%- else -%}
            {#- By month: thousands of days, each a condition of its own, are too many for Spark's planner. -#}
            {%- set months = {} -%}
            {%- for day in scope['days'] -%}
                {%- set year, month, number = (day | string).split('-') | map('int') -%}
                {% do months.setdefault((year, month), []).append(number) %}
            {%- endfor -%}
            {%- for (year, month), numbers in months.items() -%}
                (year = {{ year }} and month = {{ month }} and day in ({{ numbers | join(', ') }}))
                {{- ' or ' if not loop.last -}}
            {%- endfor -%}
        {%- endif -%}
    {%- elif 'values' in scope -%}
        {{ column }} in {{ text_list(scope['values']) }}
    {%- else -%}
        {{- 'false' if not scope['ranges'] -}}
        {%- for range in scope['ranges'] -%}
            ({{ column }} >= timestamp'{{ range[0] }}' and {{ column }} < timestamp'{{ range[1] }}')
            {{- ' or ' if not loop.last -}}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
