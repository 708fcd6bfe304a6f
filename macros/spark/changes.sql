{#-
  What changed in a table since another took it up: the one way in which incremental tables of this project follow others.

  It is Delta's own change data feed. A table that follows another keeps in a property of itself up to which version of that
  one it has come; what changed since is read from the feed, whatever made the change: a build, a restore, a hand. Where the
  feed cannot tell (the table was made anew, or the changes are older than six days), everything is taken up anew.

  A model's body calls changes_of() first, and filters what it reads by in_scope(); so target/compiled holds the SQL that runs.
  Called by models with the strategies of macros/spark/incremental.sql.
-#}

{#-
  What changed in `upstream`, a ref, since this model's table took it up, by the values of one of its columns, `by`: texts, or
  the days of dates and timestamps. `replaces` is the column of this model's table whose rows of these values or days are made
  anew, by default the same. Both may be lists of the same length: the rows are those that any of them names.
  `where` is a condition on the upstream's rows; `also` a query for values of `by` that are in scope in any case, which reads
  the upstream, this model's table and listings.
-#}
{% macro changes_of(upstream, by=none, replaces=none, where=none, also=none) %}
    {#- For dbt's state:modified: a model is another when its materialization is. -#}
    {%- if false -%}{{ materialization_incremental_spark() }}{%- endif -%}
    {%- set columns = [] if by is none else [by] if by is string else by -%}
    {%- set own_columns = columns if replaces is none else [replaces] if replaces is string else replaces -%}
    {%- set scope = {
        'everything': true, 'nothing': false, 'replaces': own_columns, 'parts': {}, 'is_old': false,
        'property': 'strata.follows.' ~ upstream.identifier, 'through': none,
    } -%}
    {#- A unit test gives rows for a ref, and no table. -#}
    {%- if execute and model.resource_type == 'model' -%}
        {%- set relation = load_relation(upstream) -%}
        {%- if relation is none and flags.WHICH in ('run', 'build', 'retry') -%}
            {% do exceptions.raise_compiler_error(
                model.name ~ ' follows ' ~ upstream ~ ", which has not been built: select it too, as in 'dbt build' or"
                ~ " 'dbt run --select +" ~ model.name ~ "'."
            ) %}
        {%- endif -%}
        {%- if relation is not none and not flags.EMPTY -%}
            {% do scope.update({'through': _newest_version(relation).mark}) %}
            {%- if is_incremental() -%}
                {% do _narrow(scope, relation, columns, where, also) %}
            {%- endif -%}
        {%- endif -%}
        {#- What a body finds out reaches its materialization by no other way than this dictionary, which dbt shares. -#}
        {% do graph.setdefault('strata_scopes', {}).setdefault(model.unique_id, []).append(scope) %}
    {%- endif -%}
    {{ return(scope) }}
{% endmacro %}


{#- Narrow a scope of everything to what changed in a relation after the version that this model's table has come to. -#}
{% macro _narrow(scope, relation, columns, where, also) %}
    {%- set commits = _commits_since(relation, _table_property(this, scope.property)) -%}
    {%- if commits is not none -%}
        {%- set changes = commits | rejectattr('operation', 'in', ['SET TBLPROPERTIES', 'UNSET TBLPROPERTIES', 'OPTIMIZE']) | list -%}
        {%- set made_anew = changes | selectattr('is_made_anew') | list -%}
        {%- set too_old = changes | selectattr('is_old') | list -%}
        {%- set is_kept = not changes or _table_property(relation, 'delta.enableChangeDataFeed') == 'true' -%}
        {%- if not made_anew and not too_old and is_kept -%}
            {% do scope.update({'everything': false, 'is_old': commits | selectattr('is_day_old') | list | length > 0}) %}
            {%- set found = namespace(any=changes | length > 0 and not columns) -%}
            {%- for column in columns -%}
                {%- set part = _changed_values(relation, changes, column, where, also if loop.first else none) -%}
                {% do scope.parts.update({column: part}) %}
                {%- set found.any = found.any or part.values() | first | length > 0 -%}
            {%- endfor -%}
            {% do scope.update({'nothing': not found.any}) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- The newest commit of a Delta table, as python/strata/delta_log.py has it; macros/spark/databricks.sql asks the engine. -#}
{% macro _newest_version(relation) %}
    {{ return(adapter.dispatch('newest_version', 'strata')(relation)) }}
{% endmacro %}


{% macro spark__newest_version(relation) %}
    {{ return(modules.strata.newest(relation.schema, relation.identifier)) }}
{% endmacro %}


{#- The commits of a Delta table after the one of a mark, newest first; none where they are not all told. -#}
{% macro _commits_since(relation, mark) %}
    {{ return(adapter.dispatch('commits_since', 'strata')(relation, mark)) }}
{% endmacro %}


{% macro spark__commits_since(relation, mark) %}
    {{ return(modules.strata.commits_since(relation.schema, relation.identifier, mark)) }}
{% endmacro %}


{#- The values, or the days, of a column in the rows that some commits of a Delta table changed; see scope_predicate. -#}
{% macro _changed_values(relation, commits, column, where, also) %}
    {%- if not commits and not also -%}
        {{ return({'values': []}) }}
    {%- endif -%}
    {%- set type = (adapter.get_columns_in_relation(relation) | selectattr('name', 'equalto', column) | first).dtype -%}
    {%- set is_text = type not in ('date', 'timestamp') -%}
    {%- set value = column if is_text else 'date(' ~ column ~ ')' -%}
    {%- set found = [] -%}
    {%- set question = 'what changed of ' ~ relation ~ ' by ' ~ column ~ ' for ' ~ this -%}
    {%- set feed -%}
        select {{ value }} as value
        from table_changes({{ _text_literal(relation | string | replace('`', '')) }}, {{ commits[-1].version if commits }}, {{ commits[0].version if commits }})
        where {{ column }} is not null{{ ' and (' ~ where ~ ')' if where }}
    {%- endset -%}
    {%- if is_text -%}
        {#- Each by itself: in one query with a scan of the table the feed gives that scan's rows (Delta 4.3.1). -#}
        {%- if commits -%}
            {% do found.extend(_answer(question, 'select distinct value from (' ~ feed ~ ')', [relation]) | map('first')) %}
        {%- endif -%}
        {%- if also -%}
            {% do found.extend(
                _answer(question ~ ' besides', 'select distinct value from (' ~ also ~ ')', [relation, this]) | map('first')
            ) %}
        {%- endif -%}
        {{ return({'values': found | unique(case_sensitive=true) | sort(case_sensitive=true)}) }}
    {%- elif type == 'date' -%}
        {%- set days = 'select distinct cast(value as string) as value from (' ~ feed ~ ') order by value' -%}
        {{ return({'days': _answer(question, days, [relation]) | map('first') | list}) }}
    {%- endif -%}
    {%- set sql -%}
        with days as (
            select distinct value as day from ({{ feed }})
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
    {%- for row in _answer(question, sql, [relation]) -%}
        {% do ranges.append([row[0], row[1]]) %}
    {%- endfor -%}
    {{ return({'ranges': ranges}) }}
{% endmacro %}


{#- The condition that a column of what a model reads is in scope: `column` has the values of the upstream's column `by`. -#}
{% macro in_scope(scope, column, by=none) -%}
    {%- if scope.everything -%}
        true
    {%- elif not scope.parts -%}
        true
    {%- else -%}
        ({{ _scope_predicate(scope.parts[by or scope.parts.keys() | first], column) }})
    {%- endif -%}
{%- endmacro %}


{#- The condition on this model's own rows: which ones are made anew. -#}
{% macro _replaced_rows(scope) -%}
    {%- if scope.everything -%}
        {#- Spark plans a bare `true` as another statement, and fails on it. -#}
        {{ scope.replaces[0] }} is not null
    {%- else -%}
        {%- for part in scope.parts.values() -%}
            ({{ _scope_predicate(part, scope.replaces[loop.index0]) }}){{ ' or ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{#-
  A set of rows as a condition on a column: `values`, a list of texts; `ranges`, a list of pairs of timestamps as text,
  half-open; or `days`, a list of dates as text (without a column: of a table laid out by year, month and day).
-#}
{% macro _scope_predicate(scope, column) -%}
    {%- if 'days' in scope -%}
        {%- if not scope['days'] -%}
            false
        {%- elif column -%}
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
        {%- if scope['values'] -%}
            {{ column }} in {{ _text_list(scope['values']) }}
        {%- else -%}
            false
        {%- endif -%}
    {%- else -%}
        {{- 'false' if not scope['ranges'] -}}
        {%- for range in scope['ranges'] -%}
            ({{ column }} >= timestamp'{{ range[0] }}' and {{ column }} < timestamp'{{ range[1] }}')
            {{- ' or ' if not loop.last -}}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{#-
  Replace in `relation` the rows that a condition names by those of `sql`, in one commit. Where there are none, the usual case of
  what has just landed, they are appended: Delta (4.3.1) computes a table's whole state before it looks for rows to replace.
-#}
{% macro _replace_where(relation, predicate, sql) -%}
    {%- set is_there = run_query('select 1 from ' ~ relation ~ ' where ' ~ predicate ~ ' limit 1').rows | length > 0 -%}
    insert into {{ relation }} {{ 'replace where ' ~ predicate if is_there }}
    {{ sql }}
{%- endmacro %}
