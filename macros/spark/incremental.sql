{#-
  The incremental materialization of this project, with one strategy: `replace_where`.

  Why not dbt-spark's (checked on 1.11.0): it has no strategy that replaces a range. `insert_overwrite` and
  `microbatch` on Delta overwrite partitions dynamically, which leaves a stale partition where a batch has no rows,
  and its staging view has no schema in its name, so that two models of one alias overwrite each other's under threads.
  `insert into ... replace where` is atomic, takes any predicate and handles empty ranges.

  A model names in its `meta`:
    scope: the macro that says what has changed; it gets the table's own relation and the watermark and returns a scope
    scope_column: the column of the table that the scope is about
    follows: the model whose changes this one takes up, so that a run that skipped it is made good by the next
  The body filters with in_scope(column), which is `true` until a table is there to be replaced in part.
  With --empty dbt gives a model nothing to read: a table that is there is then left as it is, and one that is made then has
  no watermark, so that the next run fills it.
  The watermark is the table property `strata.through`, set after the write: a run killed in between does the same
  range once more, which changes nothing. A restore of the table restores its watermark with it.
-#}
{% materialization incremental, adapter='spark' %}
    {%- set meta = config.get('meta', {}) -%}
    {%- if config.get('incremental_strategy') != 'replace_where' -%}
        {% do exceptions.raise_compiler_error(
            "Model " ~ model.name ~ " has the incremental strategy " ~ config.get('incremental_strategy')
            ~ ": this project has only 'replace_where'."
        ) %}
    {%- endif -%}
    {%- set existing = load_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- set through = none if flags.EMPTY else changes_through(meta.get('follows')) -%}
    {%- if flags.EMPTY and existing is not none -%}
        {% call noop_statement('main', 'OK left as it is by --empty') -%} {%- endcall %}
    {%- elif existing is none or should_full_refresh() -%}
        {%- do model.update({'properties': {'strata.through': through} if through is not none else {}}) -%}
        {% call statement('main') -%}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- endcall %}
        {% do persist_constraints(target_relation, model) %}
        {% do persist_docs(target_relation, model) %}
    {%- else -%}
        {%- set known_through = table_property(target_relation, 'strata.through') -%}
        {%- set scope = none -%}
        {%- if meta.get('follows') is none or (through is not none and through != known_through) -%}
            {%- set scope = context[meta.scope](target_relation, known_through, through) -%}
        {%- endif -%}
        {%- if scope is none -%}
            {% call noop_statement('main', 'OK nothing changed') -%} {%- endcall %}
        {%- else -%}
            {% call statement('main') -%}
                {{ replace_where(target_relation, scope, meta.scope_column, compiled_code) }}
            {%- endcall %}
            {%- if through is not none and through != known_through -%}
                {% do set_table_properties(target_relation, {'strata.through': through}) %}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


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
  or is `everything` (the column is never null).
-#}
{% macro scope_predicate(scope, column) -%}
    {%- if 'everything' in scope -%}
        {#- Spark plans a bare `true` as another statement, and fails on it. -#}
        {{ column }} is not null
    {%- elif 'days' in scope -%}
        {%- for day in scope['days'] -%}
            {%- if column -%}
                {{ column }} = date'{{ day }}'
            {%- else -%}
                {%- set year, month, number = (day | string).split('-') | map('int') -%}
                (year = {{ year }} and month = {{ month }} and day = {{ number }})
            {%- endif -%}
            {{- ' or ' if not loop.last -}}
        {%- endfor -%}
    {%- elif 'values' in scope -%}
        {{ column }} in (
        {%- for value in scope['values'] -%}
            {{ text_literal(value) }}{{ ', ' if not loop.last }}
        {%- endfor -%}
        )
    {%- else -%}
        {%- for range in scope['ranges'] -%}
            ({{ column }} >= timestamp'{{ range[0] }}' and {{ column }} < timestamp'{{ range[1] }}')
            {{- ' or ' if not loop.last -}}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{#- A text as a Spark literal: Spark reads backslashes in literals as escapes. -#}
{% macro text_literal(value) -%}
    '{{ value | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}


{#- Set table properties (a dict of texts), in a commit of its own. -#}
{% macro set_table_properties(relation, properties) %}
    {% do run_query('alter table ' ~ relation ~ ' set tblproperties (' ~ properties_list(properties) ~ ')') %}
{% endmacro %}


{% macro properties_list(properties) -%}
    {%- for name, value in properties.items() -%}
        {{ text_literal(name) }} = {{ text_literal(value | string) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#- The properties of a table, a dict of texts. -#}
{% macro table_properties(relation) %}
    {%- set properties = {} -%}
    {%- for row in run_query('show tblproperties ' ~ relation) -%}
        {% do properties.update({row[0]: row[1]}) %}
    {%- endfor -%}
    {{ return(properties) }}
{% endmacro %}


{#- The value of a table property as text, or none. -#}
{% macro table_property(relation, name) %}
    {{ return(table_properties(relation).get(name)) }}
{% endmacro %}


{#-
  Make the Delta table of a node from a query, in one commit, with the node's configured and the given properties;
  whatever node runs at the moment. With `replace` it takes the place of the one that is there, history included.
-#}
{% macro create_delta_table(node, relation, sql, properties={}, replace=false) %}
    {%- set all_properties = dict(node.config.get('tblproperties') or {}) -%}
    {% do all_properties.update(properties) %}
    {% do adapter.create_schema(relation) %}
    {% call statement('create_delta_table') -%}
        create {{ 'or replace ' if replace }}table {{ relation }}
        using delta
        {%- if node.config.get('partition_by') %}
        partitioned by ({{ node.config.partition_by | join(', ') }})
        {%- endif %}
        {%- if all_properties %}
        tblproperties ({{ properties_list(all_properties) }})
        {%- endif %}
        as
        {{ sql }}
    {%- endcall %}
    {% do adapter.cache_added(relation.incorporate(type='table')) %}
{% endmacro %}


{#- Add text columns that a table does not have yet. -#}
{% macro add_columns(relation, names) %}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- set missing = names | reject('in', there) | list -%}
    {%- if missing -%}
        {% do run_query('alter table ' ~ relation ~ ' add columns (`' ~ missing | join('` string, `') ~ '` string)') %}
    {%- endif -%}
{% endmacro %}


{#- A query with its columns in the order of a table's, for an insert goes by position; null is what it lacks. -#}
{% macro in_columns_of(relation, sql) -%}
    {%- set given = get_columns_in_query(sql) -%}
    select
        {%- for column in adapter.get_columns_in_relation(relation) %}
        {{ '`' ~ column.name ~ '`' if column.name in given else 'cast(null as ' ~ column.dtype ~ ') as `' ~ column.name ~ '`' }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ sql }}
    )
{%- endmacro %}


{#-
  dbt-spark's clause, with the properties that a materialization knows only when it runs (`model.properties`), so that a
  table is made in one commit (dbt-spark 1.11.0 knows only those of the model's configuration).
-#}
{% macro spark__tblproperties_clause() -%}
    {%- set properties = dict(config.get('tblproperties') or {}) -%}
    {%- do properties.update(model.get('properties', {})) -%}
    {%- if properties %}
    tblproperties ({{ properties_list(properties) }})
    {%- endif -%}
{%- endmacro %}


{#-
  How far the model that a table follows has come: its own watermark, or where it keeps a `changed_at`, the newest of
  these. Text of a timestamp, or none where nothing is followed or nothing has come.
-#}
{% macro changes_through(followed) %}
    {%- if followed is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set relation = built_relation(followed) -%}
    {%- if built_node(followed).config.get('meta', {}).get('follows') -%}
        {{ return(table_property(relation, 'strata.through')) }}
    {%- endif -%}
    {{ return(run_query('select cast(max(changed_at) as string) from ' ~ relation)[0][0]) }}
{% endmacro %}


{#- The node of a model or snapshot, by its name. -#}
{% macro built_node(name) %}
    {%- for node in graph.nodes.values() if node.name == name and node.resource_type in ('model', 'snapshot') -%}
        {{ return(node) }}
    {%- endfor -%}
{% endmacro %}


{#- The place of a node's table in the lake, by its name, whether it is there or not. Makes no edge in dbt's graph. -#}
{% macro place_of(name) %}
    {%- set node = built_node(name) -%}
    {{ return(api.Relation.create(schema=node.schema, identifier=node.alias, type='table')) }}
{% endmacro %}


{#- The same, none when it has not been built. -#}
{% macro built_relation(name) %}
    {{ return(load_relation(place_of(name))) }}
{% endmacro %}
